#!/usr/bin/env bash
# Registers the hub's API in Entra ID, with its roles and scopes (infra/api-registration.json), or brings an earlier
# registration up to date. Whoever runs it needs the right to register applications.
# Usage: register_api.sh [audience]     (api://dsif-api; the setting AUTH_AUDIENCE must be the same)
#
# Tenants with Microsoft's secure default refuse an audience without tenant ID, app ID or verified domain in it: there,
# use for example api://<tenant ID>/dsif-api.
set -euo pipefail

audience=${1:-api://dsif-api}
registration=$(cd "$(dirname "$0")/../infra" && pwd)/api-registration.json
application="https://graph.microsoft.com/v1.0/applications(uniqueName='dsif-api')"
# The Azure CLI, so that operators get a token by `az account get-access-token`. Without a role it opens nothing.
azure_cli=04b07795-8ddb-461a-bbee-02f9e1bf7b46

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

sed "s|api://dsif-api|$audience|" "$registration" >"$folder/registration.json"
az rest --method PATCH --url "$application" \
    --headers Content-Type=application/json Prefer=create-if-missing \
    --body "@$folder/registration.json" --output none

# Once the scopes are there: an application can be allowed to ask for those that exist, and no others.
python3 - "$registration" "$azure_cli" >"$folder/allowed.json" <<'PYTHON'
import json, sys
with open(sys.argv[1]) as file:
    scopes = [scope["id"] for scope in json.load(file)["api"]["oauth2PermissionScopes"]]
allowed = [{"appId": sys.argv[2], "delegatedPermissionIds": scopes}]
print(json.dumps({"api": {"preAuthorizedApplications": allowed}}))
PYTHON
az rest --method PATCH --url "$application" \
    --headers Content-Type=application/json --body "@$folder/allowed.json" --output none

app_id=$(az rest --method GET --url "$application?\$select=appId" --query appId --output tsv)
# The service principal is what roles are assigned on.
if ! az ad sp show --id "$app_id" --output none 2>/dev/null; then
    az ad sp create --id "$app_id" --output none
fi
echo "$audience is registered: application $app_id"
