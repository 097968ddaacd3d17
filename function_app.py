"""The function app: one FunctionApp with every capability's functions. Importing it needs no setting and no network."""

import azure.functions as func

from functions import dead_letters, http_routes, incentives, queues, sales_import, timers

app = func.FunctionApp(http_auth_level=func.AuthLevel.ANONYMOUS)

for capability in (sales_import, incentives, queues, dead_letters, timers, http_routes):
    app.register_functions(capability.blueprint)
