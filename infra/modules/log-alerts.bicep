// Alerts on what the hub says of itself, as metrics and log lines. Each query (queries/*.kql) returns a row for each
// thing that is wrong, with what it is about as `Subject`: one alert for each subject.

@description('Region of the rules: that of the workspace.')
param location string

@description('Resource ID of the workspace.')
param workspaceId string

@description('Resource ID of the action group.')
param actionGroupId string

@description('Whether the rules are evaluated.')
param enabled bool

@description('Tags of every resource.')
param tags object

var severities = {
  critical: 0
  high: 1
  medium: 2
}

// `window`: how far back the query looks. `every`: how often it is asked. Windows overlap, because a line can be minutes
// late; an alert that has fired tells again only after it has ended, so nothing is told twice.
var alerts = [
  {
    name: 'integration-latency'
    title: 'A partner answers slowly'
    severity: 'medium'
    window: 'PT15M'
    every: 'PT5M'
    query: loadTextContent('../queries/integration-latency.kql')
  }
  {
    name: 'integration-error-rate'
    title: 'Calls of a partner fail'
    severity: 'medium'
    window: 'PT15M'
    every: 'PT5M'
    query: loadTextContent('../queries/integration-error-rate.kql')
  }
  {
    name: 'integration-queue-depth'
    title: 'Messages pile up in a queue'
    severity: 'medium'
    window: 'PT15M'
    every: 'PT5M'
    query: loadTextContent('../queries/integration-queue-depth.kql')
  }
  {
    name: 'integration-circuit-open'
    title: 'A partner is not called any more'
    severity: 'medium'
    window: 'PT15M'
    every: 'PT5M'
    query: loadTextContent('../queries/integration-circuit-open.kql')
  }
  {
    name: 'erp-import-failed'
    title: 'An import of sales failed'
    severity: 'high'
    window: 'PT15M'
    every: 'PT5M'
    query: loadTextContent('../queries/erp-import-failed.kql')
  }
  {
    name: 'payroll-export-late'
    title: 'A payroll export is more than 25 hours late'
    severity: 'critical'
    // The timer that says so fires once an hour.
    window: 'PT2H'
    every: 'PT15M'
    query: loadTextContent('../queries/payroll-export-late.kql')
  }
  {
    name: 'payroll-export-stopped'
    title: 'A payroll export stopped'
    severity: 'high'
    window: 'PT15M'
    every: 'PT5M'
    query: loadTextContent('../queries/payroll-export-stopped.kql')
  }
  {
    name: 'hr-webhook-failures'
    title: 'Requests of the HR system fail'
    severity: 'medium'
    window: 'PT1H'
    every: 'PT5M'
    query: loadTextContent('../queries/hr-webhook-failures.kql')
  }
  {
    name: 'dead-letters'
    title: 'A message was given up'
    severity: 'high'
    window: 'PT15M'
    every: 'PT5M'
    query: loadTextContent('../queries/dead-letters.kql')
  }
  {
    name: 'function-app-server-errors'
    title: 'HTTP requests end with 5xx'
    severity: 'high'
    window: 'PT15M'
    every: 'PT5M'
    query: loadTextContent('../queries/function-app-server-errors.kql')
  }
  {
    name: 'timer-heartbeat-missing'
    title: 'A timer does not run'
    severity: 'high'
    window: 'P2D'
    every: 'PT15M'
    query: loadTextContent('../queries/timer-heartbeat-missing.kql')
  }
]

resource rules 'Microsoft.Insights/scheduledQueryRules@2023-12-01' = [for alert in alerts: {
  name: alert.name
  location: location
  tags: tags
  kind: 'LogAlert'
  properties: {
    displayName: alert.title
    description: 'docs/alerts.md says what to do: ${alert.name}'
    enabled: enabled
    severity: severities[alert.severity]
    scopes: [ workspaceId ]
    evaluationFrequency: alert.every
    windowSize: alert.window
    criteria: {
      allOf: [
        {
          query: alert.query
          timeAggregation: 'Count'
          operator: 'GreaterThan'
          threshold: 0
          dimensions: [
            { name: 'Subject', operator: 'Include', values: [ '*' ] }
          ]
          failingPeriods: { numberOfEvaluationPeriods: 1, minFailingPeriodsToAlert: 1 }
        }
      ]
    }
    autoMitigate: true
    // The tables exist only once the first line has come in.
    skipQueryValidation: true
    actions: { actionGroups: [ actionGroupId ] }
  }
}]
