"""The function app: one FunctionApp with every capability's functions. Importing it needs no setting and no network."""

import azure.functions as func

from functions import dead_letters, http_routes, incentives, notifications, payroll, sales_import, timers, workforce

app = func.FunctionApp(http_auth_level=func.AuthLevel.ANONYMOUS)

for capability in (sales_import, workforce, incentives, payroll, dead_letters, notifications, timers, http_routes):
    app.register_functions(capability.blueprint)
