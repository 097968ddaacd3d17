// The settings of the hub that an operator decides, by the names under which the code reads them.
//
// What is optional here and left out keeps the default that the code gives it (shared/adapters/settings). What follows
// from the deployed resources is set in modules/function-app.bicep. Secrets are no settings: the hub reads them from
// the vault.
//
// Each partner is given either a token URL, or an authority and a scope where it trusts Entra ID.

@export()
@sealed()
type hubSettings = {
  HUB_TENANT: string?
  HUB_MESSAGE_RETRY_DELAYS: string?
  HUB_HEALTH_DEADLINE: string?

  SECRET_CACHE_SECONDS: string?
  SECRET_STALE_SECONDS: string?
  SECRET_OVERLAP_SECONDS: string?

  AUTH_AUDIENCE: string?

  ERP_BASE_URL: string
  ERP_TOKEN_URL: string?
  ERP_AUTHORITY: string?
  ERP_CLIENT_ID: string
  ERP_SCOPE: string?
  ERP_PAGE_SIZE: string?
  ERP_CALL_TIMEOUT: string?
  ERP_RETRY_FIRST_DELAY: string?
  ERP_BUSINESS_TIME_ZONE: string?
  ERP_MAX_REJECT_SHARE: string?
  ERP_CONFIRM_DROP_SHARE: string?
  ERP_CONFIRM_DROP_RECORDS: string?
  ERP_KNOWN_STORES: string?
  ERP_CURRENCY: string?
  ERP_PAGES_PER_SLICE: string?
  ERP_STAGING_WRITERS: string?
  ERP_SLICE_LEASE_SECONDS: string?
  IMPORT_STALL_SECONDS: string?
  IMPORT_TRIGGERS_CALCULATION: string?
  IMPORT_EXPECTED_BY: string?
  PAY_CALENDAR: string?

  HR_BASE_URL: string
  HR_TOKEN_URL: string?
  HR_AUTHORITY: string?
  HR_CLIENT_ID: string
  HR_SCOPE: string?
  HR_PAGE_SIZE: string?
  HR_PAGES_PER_SLICE: string?
  HR_CALL_TIMEOUT: string?
  HR_RETRY_FIRST_DELAY: string?
  HR_MAX_TERMINATION_SHARE: string?

  INCENTIVE_PLANS: string?
  HUB_FOUR_EYES: string?

  PAYROLL_BASE_URL: string
  PAYROLL_TOKEN_URL: string?
  PAYROLL_AUTHORITY: string?
  PAYROLL_CLIENT_ID: string
  PAYROLL_SCOPE: string?
  PAYROLL_CALL_TIMEOUT: string?
  PAYROLL_RETRY_FIRST_DELAY: string?
  PAYROLL_EARNINGS_CODE: string?
  PAYROLL_CURRENCY: string?
  EXPORT_LEASE_SECONDS: string?
  APPROVAL_DEADLINE: string?

  // Where orders are taken in: SALES_BASE_URL and what the code then asks for (docs/adapters.md).
  SALES_BASE_URL: string?
  SALES_TOKEN_URL: string?
  SALES_AUTHORITY: string?
  SALES_CLIENT_ID: string?
  SALES_SCOPE: string?
  SALES_CALL_TIMEOUT: string?
  SALES_RETRY_FIRST_DELAY: string?

  // Where users are pulled from Microsoft Graph (docs/provisioning.md): GRAPH_AUTHORITY and GRAPH_CLIENT_ID.
  GRAPH_BASE_URL: string?
  GRAPH_TOKEN_URL: string?
  GRAPH_AUTHORITY: string?
  GRAPH_CLIENT_ID: string?
  GRAPH_SCOPE: string?
  GRAPH_CALL_TIMEOUT: string?
  GRAPH_RETRY_FIRST_DELAY: string?
  GRAPH_PAGES_PER_SLICE: string?
  GRAPH_MAX_DEACTIVATION_SHARE: string?

  SFTP_HOST: string
  SFTP_PORT: string?
  SFTP_USERNAME: string
  SFTP_HOST_KEY: string
  SFTP_DIRECTORY: string?
  SFTP_TIMEOUT: string?
  SFTP_RETRY_FIRST_DELAY: string?

  MAIL_PROVIDER: string?
  MAIL_DOMAIN: string?
  MAIL_SMTP_HOST: string?
  MAIL_SMTP_PORT: string?
  MAIL_SMTP_STARTTLS: string?
  MAIL_SMTP_USERNAME: string?
  MAIL_SENDGRID_BASE_URL: string?
  MAIL_ACS_ENDPOINT: string?
  MAIL_FINANCE: string?
  MAIL_ADMINS: string?
  MAIL_APPROVERS: string?
}
