# Written by Stoker: whom certbot trusts as gateway_acme_directory.
[Service]
Environment=REQUESTS_CA_BUNDLE={{ ca }}
