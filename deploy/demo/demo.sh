#!/usr/bin/env bash
# A small shop of four services, load through its gateway, and vethscope watching from outside.
# DEMO_SECONDS=N stops after N seconds; without it, Ctrl-C does.
set -euo pipefail
cd "$(dirname "$0")/../.."

export PYTHONDONTWRITEBYTECODE=1
PATH=$PATH:/usr/sbin:/sbin
if [ "$(id -u)" -eq 0 ]; then
    exec python3 deploy/demo/demo.py
fi
echo "demo: network namespaces and packet capture need root"
exec sudo env "DEMO_SECONDS=${DEMO_SECONDS:-}" PYTHONDONTWRITEBYTECODE=1 "PATH=$PATH" \
    python3 deploy/demo/demo.py
