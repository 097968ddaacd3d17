#!/usr/bin/env bash
# Lets blob events of the inboxes reach the app: the second stage, after the code. May be run again at any time, and
# must be when the app's blobs_extension key was renewed.
# Usage: connect_event_grid.sh <resource group> <function app> <Event Grid system topic> <storage account>
# WAIT_SECONDS: how long to wait for the key, which the host makes when it first loads the code (600).
set -euo pipefail

if [ $# -ne 4 ]; then
    echo "usage: $0 <resource group> <function app> <Event Grid system topic> <storage account>" >&2
    exit 2
fi
group=$1 app=$2 topic=$3 storage=$4
wait_seconds=${WAIT_SECONDS:-600}
templates=$(cd "$(dirname "$0")/../infra" && pwd)

# Asks whether the key is there, never for the key itself: nothing secret is printed or held.
key_is_there() {
    [ "$(az functionapp keys list --resource-group "$group" --name "$app" \
        --query "contains(keys(systemKeys || \`{}\`), 'blobs_extension')" --output tsv)" = true ]
}

began=$SECONDS
until key_is_there; do
    if [ $((SECONDS - began)) -ge "$wait_seconds" ]; then
        echo "$app has had no key for blob events for $wait_seconds seconds: is the code deployed, does the host run?" >&2
        echo "look at: az functionapp function list --resource-group $group --name $app --output table" >&2
        exit 1
    fi
    echo "waiting for $app to make its key for blob events"
    sleep "${WAIT_BETWEEN:-10}"
done

az deployment group create \
    --resource-group "$group" \
    --name inbox-subscriptions \
    --template-file "$templates/inbox-subscriptions.bicep" \
    --parameters appName="$app" topicName="$topic" storageName="$storage" \
    --output none
echo "files in erp-inbox and calculations-inbox reach $app"
