// The parameters of one deployment. Copy it for another (prod.bicepparam) and pass that to the commands of
// docs/deploy.md. No secrets: those go into the vault (scripts/put_secrets.sh).

using 'main.bicep'

// azd gives these; without azd, write the values here or set the variables.
param name = readEnvironmentVariable('AZURE_ENV_NAME', 'dsif-test')
param location = readEnvironmentVariable('AZURE_LOCATION', 'westeurope')
param vaultOfficerPrincipalId = readEnvironmentVariable('AZURE_PRINCIPAL_ID', '')
param vaultOfficerPrincipalType = readEnvironmentVariable('AZURE_PRINCIPAL_TYPE', 'User')

param alertEmailAddresses = [
  'hub-operations@example.com'
]

// The webhook of the HR system is answered at once, whatever else sleeps.
param alwaysReady = [
  { name: 'http', instanceCount: 1 }
]

// RollingUpdate lets functions that run come to their end, where the region has it (docs/deploy.md). Two updates a few
// minutes apart, one of settings and one of code, then run beside each other.
// param siteUpdateStrategy = 'RollingUpdate'

// What was approved and paid is kept in three zones. Not every region has them: LRS there, or GRS.
param storageRedundancy = 'ZRS'

// ALERTS_ENABLED=false for the first deployment alone (docs/deploy.md, step 3).
param alertsEnabled = bool(readEnvironmentVariable('ALERTS_ENABLED', 'true'))

// What is left out keeps the default that the code gives it: settings.bicep lists every name.
param settings = {
  ERP_BASE_URL: 'https://erp.example.com'
  ERP_TOKEN_URL: 'https://login.example.com/oauth2/v2.0/token'
  ERP_CLIENT_ID: 'hub-erp'
  ERP_SCOPE: 'erp/.default'
  ERP_BUSINESS_TIME_ZONE: 'Europe/Berlin'

  HR_BASE_URL: 'https://hr.example.com'
  HR_TOKEN_URL: 'https://login.example.com/oauth2/v2.0/token'
  HR_CLIENT_ID: 'hub-hr'
  HR_SCOPE: 'hr/.default'

  PAYROLL_BASE_URL: 'https://payroll.example.com'
  PAYROLL_TOKEN_URL: 'https://login.example.com/oauth2/v2.0/token'
  PAYROLL_CLIENT_ID: 'hub-payroll'
  PAYROLL_SCOPE: 'payroll/.default'

  // Orders are taken in where there is a sales system. Without these lines that route refuses.
  SALES_BASE_URL: 'https://sales.example.com'
  SALES_TOKEN_URL: 'https://login.example.com/oauth2/v2.0/token'
  SALES_CLIENT_ID: 'hub-sales'
  SALES_SCOPE: 'sales/.default'

  // Users are pulled from Microsoft Graph where there is a tenant (docs/provisioning.md).
  // GRAPH_AUTHORITY: 'https://login.microsoftonline.com/<tenant ID>'
  // GRAPH_CLIENT_ID: '<application ID>'

  SFTP_HOST: 'sftp.example.com'
  SFTP_USERNAME: 'hub'
  // From the operator of the server, by a way other than the network: ssh-keyscan alone proves nothing.
  SFTP_HOST_KEY: 'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIKnDy17PBP+lHD57fsoHBwP54gtQ6hYKiLBzGcgw0/6N'

  // Nobody is told of anything where MAIL_PROVIDER is none, its default.
  MAIL_PROVIDER: 'smtp'
  MAIL_DOMAIN: 'example.com'
  MAIL_SMTP_HOST: 'smtp.example.com'
  MAIL_SMTP_USERNAME: 'hub'
  MAIL_FINANCE: 'finance@example.com'
  MAIL_ADMINS: 'hub-operations@example.com'
  MAIL_APPROVERS: 'pay-approvers@example.com'
}
