"""The function app: one FunctionApp with every capability's functions. Importing it needs no setting and no network."""

import azure.functions as func

from functions import dead_letters, health, notifications, sales_import

app = func.FunctionApp(http_auth_level=func.AuthLevel.ANONYMOUS)

for capability in (sales_import, dead_letters, notifications, health):
    app.register_functions(capability.blueprint)
