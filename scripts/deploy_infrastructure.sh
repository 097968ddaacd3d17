#!/usr/bin/env bash
# Deploys the templates where they would change anything, and prints the outputs of the deployment as name=value lines.
# Usage: deploy_infrastructure.sh <resource group> [<parameters file>, infra/main.bicepparam by default]
#
# Each deployment of the templates restarts the app, whatever it changes, and with RollingUpdate the code that follows
# minutes later would start a second update beside the first. So what-if is asked before: what it cannot tell counts as
# a change.
set -euo pipefail

group=${1:?usage: deploy_infrastructure.sh <resource group> [<parameters file>]}
parameters=${2:-infra/main.bicepparam}
outputs() {
    python3 -c 'import json, sys
for name, one in json.load(sys.stdin).items():
    print(name, one["value"], sep="=")'
}

changes=$(az deployment group what-if --resource-group "$group" --parameters "$parameters" --no-pretty-print --output json |
    python3 -c '
import json, sys
answer = json.load(sys.stdin)
same = {"NoChange", "NoEffect", "Ignore"}
print(sum(one["changeType"] not in same for one in answer["changes"])
      + len(answer.get("potentialChanges") or []) + len(answer.get("diagnostics") or []))')

before=
if [ "$changes" = 0 ]; then
    before=$(az deployment group show --resource-group "$group" --name hub --query properties.outputs --output json 2>/dev/null || true)
fi
if [ -n "$before" ] && [ "$before" != null ]; then
    echo "the templates change nothing: not deployed" >&2
    outputs <<<"$before"
else
    echo "the templates change $changes things: deploying" >&2
    az deployment group create --resource-group "$group" --name hub --parameters "$parameters" \
        --query properties.outputs --output json | outputs
fi
