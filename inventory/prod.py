"""An example of two hosts. Fill it in, then `make validate INVENTORY=inventory/prod.py`.

What all hosts share belongs into `group_data/NAME.py`: NAME is this file's (`prod`), or a group's
(`gpu`). `group_data/all.py` explains every key.
"""

gpu = [
    # ("gpu-1.example.org", {"gateway_tls_cert_file": "secrets/gpu-1.crt",
    #                        "gateway_tls_key_file": "secrets/gpu-1.key"}),
    # ("gpu-2.example.org", {"gateway_tls_cert_file": "secrets/gpu-2.crt",
    #                        "gateway_tls_key_file": "secrets/gpu-2.key"}),
]
