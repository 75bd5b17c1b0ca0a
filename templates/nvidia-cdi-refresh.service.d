# Written by Stoker. The toolkit's own unit says so from 1.20.1 on; MIG it knows nothing of.
[Unit]
Before=docker.service
After=stoker-mig.service
