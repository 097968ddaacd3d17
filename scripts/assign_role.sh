#!/usr/bin/env bash
# Gives a person, a group or another application's service principal a role of the hub.
# Usage: assign_role.sh <DSIF.Admin|DSIF.Approver> <object ID> [audience]
set -euo pipefail

if [ $# -lt 2 ]; then
    echo "usage: $0 <DSIF.Admin|DSIF.Approver> <object ID> [audience]" >&2
    exit 2
fi
role=$1 principal=$2 audience=${3:-api://dsif-api}

hub=$(az ad sp show --id "$audience" --query id --output tsv)
role_id=$(az ad sp show --id "$audience" --query "appRoles[?value=='$role'].id | [0]" --output tsv)
if [ -z "$role_id" ]; then
    echo "$audience has no role $role" >&2
    exit 1
fi
assigned=$(az rest --method GET \
    --url "https://graph.microsoft.com/v1.0/servicePrincipals/$hub/appRoleAssignedTo?\$top=999" \
    --query "value[?principalId=='$principal' && appRoleId=='$role_id'] | length(@)" --output tsv)
if [ "$assigned" != 0 ]; then
    echo "$principal has the role $role already"
    exit 0
fi
az rest --method POST --url "https://graph.microsoft.com/v1.0/servicePrincipals/$hub/appRoleAssignedTo" \
    --headers Content-Type=application/json \
    --body "{\"principalId\": \"$principal\", \"resourceId\": \"$hub\", \"appRoleId\": \"$role_id\"}" \
    --output none
echo "$principal has the role $role"
