"""The function app: one FunctionApp with every capability's functions. Importing it needs no setting and no network."""

import azure.functions as func

from functions import dropped_files, http_routes, queues, timers

app = func.FunctionApp(http_auth_level=func.AuthLevel.ANONYMOUS)

for part in (http_routes, timers, queues, dropped_files):
    app.register_functions(part.blueprint)
