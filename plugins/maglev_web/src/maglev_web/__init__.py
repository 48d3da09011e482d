"""The dashboard of maglevd: `maglevd-frontend`, a web server over the gRPC client."""
