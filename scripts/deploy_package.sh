#!/bin/sh
# Deploys a package to the function app, waits until the app answers, and keeps the package for a rollback.
#
# Usage: deploy_package.sh <resource group> <app name> [<zip>, build/integration-hub.zip by default]
#
# Needs the Azure CLI (signed in: az login), curl and python3; the role Website Contributor on the app. What was
# deployed is kept in build/deployed/<app name>/, the last ten: deploying one of those again is the rollback.
#
# `az functionapp deployment source config-zip` is not used: for Python on Flex Consumption it always asks for a remote
# build, which would install other dependencies than those that were tested, and throw the bytecode away. This asks
# the same endpoint (One Deploy, /api/publish) for no build.
set -eu
group=${1:?usage: deploy_package.sh <resource group> <app name> [<zip>]}
app=${2:?usage: deploy_package.sh <resource group> <app name> [<zip>]}
package=${3:-build/integration-hub.zip}
wait_seconds=${DEPLOY_WAIT_SECONDS:-600}
# The endpoint forgets a deployment soon after its end: asked less often, its last state is missed.
pause_seconds=${DEPLOY_PAUSE_SECONDS:-1}
# How many answers in a row must be of the new build: an update has no sign of its end, and instances go one by one.
answers_wanted=${DEPLOY_ANSWERS:-10}

fail() {
    echo "NOT DEPLOYED: $*" >&2
    exit 1
}
# Prints a field of the JSON on standard input, nothing where there is none.
field() { python3 -c 'import json, sys; value = json.load(sys.stdin).get(sys.argv[1]); print("" if value is None else value)' "$1"; }
of_site() {
    az resource show --resource-group "$group" --name "$app" --resource-type Microsoft.Web/sites --query "$1" --output tsv
}
# TLS everywhere but on this machine.
url_of() { case $1 in 127.0.0.1:*) echo "http://$1" ;; *) echo "https://$1" ;; esac; }
# curl with the access token, which is on no command line: every user of the machine can read those.
with_token() {
    printf 'header = "Authorization: Bearer %s"\n' "$token" | curl --config - --silent --show-error --max-time 300 "$@"
}

[ -f "$package" ] || fail "$package is missing: make package builds it"
python3 - "$package" <<'PYTHON' || fail "$package is no package of the hub: it lacks the file named above"
import sys, zipfile
names = set(zipfile.ZipFile(sys.argv[1]).namelist())
wanted = ("host.json", "function_app.py", ".python_packages/lib/site-packages/azure/functions/__init__.py",
          "__pycache__/function_app.cpython-313.pyc")
sys.exit(next((f"missing: {name}" for name in wanted if name not in names), 0))
PYTHON
# Empty for a package from before there were build IDs.
build=$(python3 -c 'import sys, zipfile; archive = zipfile.ZipFile(sys.argv[1]); print(archive.read("build-id.txt").decode() if "build-id.txt" in archive.namelist() else "")' "$package")
digest=$(python3 -c 'import hashlib, sys; print(hashlib.sha256(open(sys.argv[1], "rb").read()).hexdigest()[:12])' "$package")

manager=$(of_site "properties.hostNameSslStates[?hostType=='Repository'].name | [0]")
host=$(of_site "properties.defaultHostName")
[ -n "$manager" ] && [ -n "$host" ] || fail "there is no function app $app in $group that can be deployed to"
token=$(az account get-access-token --query accessToken --output tsv)

echo "deploying $package ($digest) to $app"
answer=$(mktemp)
trap 'rm -f "$answer"' EXIT
status=$(with_token --request POST --header "Content-Type: application/zip" --data-binary "@$package" \
    --output "$answer" --write-out '%{http_code}' "$(url_of "$manager")/api/publish?RemoteBuild=false&Deployer=hub")
case $status in
200 | 202) ;;
401 | 403) fail "access denied ($status): the signed-in identity needs Website Contributor on $app" ;;
*) fail "the deployment endpoint answers $status: $(head -c 500 "$answer")" ;;
esac

# The endpoint answers with the deployment's ID, as JSON. The latest one may still be that before ours.
deployment=$(tr -d '"\r\n ' <"$answer" | grep -E '^[0-9A-Za-z-]{8,}$' || echo latest)

# Statuses of a deployment: -1 cancelled, 0 to 2 still at it, 3 failed, 4 succeeded, 5 and above were replaced or came to
# nothing. One that was at it and is not known any more (404) has ended, as azd and the Azure CLI take it too; whether
# it came to anything, the app says below.
waited=0
seen=no
while :; do
    : >"$answer"
    status=$(with_token --output "$answer" --write-out '%{http_code}' "$(url_of "$manager")/api/deployments/$deployment" || true)
    state=$(field status <"$answer" 2>/dev/null || true)
    case $status:$state in
    404:*) [ "$seen" = no ] || break ;;
    200:4) break ;;
    200:[012] | 202:*) seen=yes ;;
    200:-1 | 200:3 | 200:[5-9]) fail "the deployment ended with status $state: $(field status_text <"$answer") $(field message <"$answer")" ;;
    esac
    [ "$waited" -lt "$wait_seconds" ] || fail "the deployment has not ended after $wait_seconds seconds (status ${state:-unknown}, last answer $status)"
    sleep "$pause_seconds"
    waited=$((waited + pause_seconds))
done

kept=build/deployed/$app
mkdir -p "$kept"
cp "$package" "$kept/$(date -u +%Y%m%dT%H%M%SZ)-$digest.zip"
ls -1 "$kept" | sort -r | tail -n +11 | while read -r old; do rm -f "$kept/$old"; done

# Prints the build that answers; nothing where nothing does.
answering() {
    curl --silent --fail --max-time 30 "$(url_of "$host")/api/v1/health/liveness" |
        python3 -c 'import json, sys; data = json.load(sys.stdin).get("data", {}); print(data.get("build", "unnamed"))' 2>/dev/null
}
waited=0
answers=0
other=
while [ "$answers" -lt "$answers_wanted" ]; do
    found=$(answering || true)
    if [ -n "$found" ] && [ "$found" = "${build:-$found}" ]; then answers=$((answers + 1)); else answers=0 other=$found; fi
    [ "$answers" -lt "$answers_wanted" ] || break
    [ "$waited" -lt "$wait_seconds" ] || {
        if [ -n "$found" ]; then
            echo "DEPLOYED, BUT $(url_of "$host") STILL ANSWERS WITH BUILD ${other:-$found}, which is not ${build:-this one}." >&2
        else
            echo "DEPLOYED, BUT THE APP DOES NOT ANSWER at $(url_of "$host")/api/v1/health/liveness." >&2
        fi
        echo "To go back: sh scripts/deploy_package.sh $group $app $kept/<the package before>" >&2
        exit 1
    }
    sleep "$pause_seconds"
    waited=$((waited + pause_seconds))
done
echo "deployed: $(url_of "$host") answers with build ${build:-unnamed}"
