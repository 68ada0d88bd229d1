#!/bin/sh
# Compares the contract with the published one (baseline.json); works offline and without git.
#   proto/baseline.sh          fails where a client written against the baseline would break
#   proto/baseline.sh renew    the same, then makes the present contract the new baseline
set -eu
cd "$(dirname "$0")"
buf=${BUF:-buf}
[ ! -f baseline.json ] || "$buf" breaking --against baseline.json
[ "${1:-}" != renew ] || "$buf" build --exclude-source-info --exclude-imports -o baseline.json
