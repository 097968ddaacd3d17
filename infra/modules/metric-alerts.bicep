// Alerts on what Azure says of the resources: they fire even when the hub says nothing any more.
//
// Made only once the hub runs: a resource that has done nothing yet has no metrics, and Azure refuses a rule whose metric
// it does not find.

@description('Resource ID of the Service Bus namespace.')
param serviceBusId string

@description('Resource ID of the storage account.')
param storageId string

@description('Resource ID of the vault.')
param vaultId string

@description('Resource ID of the Event Grid system topic.')
param eventsId string

@description('Resource ID of the action group.')
param actionGroupId string

@description('Tags of every resource.')
param tags object

var severities = {
  critical: 0
  high: 1
  medium: 2
}

var alerts = [
  {
    name: 'service-bus-dead-letters'
    title: 'Dead letters stay in a queue'
    severity: 'high'
    resource: serviceBusId
    namespace: 'Microsoft.ServiceBus/namespaces'
    metric: 'DeadletteredMessages'
    // The hub takes them out within seconds: some of them all the time means that it does not.
    aggregation: 'Minimum'
    operator: 'GreaterThan'
    threshold: 0
    window: 'PT15M'
    dimensions: [ { name: 'EntityName', operator: 'Include', values: [ '*' ] } ]
  }
  {
    name: 'service-bus-active-messages'
    title: 'More than 1,000 messages wait in a queue'
    severity: 'medium'
    resource: serviceBusId
    namespace: 'Microsoft.ServiceBus/namespaces'
    metric: 'ActiveMessages'
    aggregation: 'Average'
    operator: 'GreaterThan'
    threshold: 1000
    window: 'PT15M'
    dimensions: [ { name: 'EntityName', operator: 'Include', values: [ '*' ] } ]
  }
  {
    name: 'storage-availability'
    title: 'Storage fails'
    severity: 'high'
    resource: storageId
    namespace: 'Microsoft.Storage/storageAccounts'
    metric: 'Availability'
    aggregation: 'Average'
    operator: 'LessThan'
    threshold: 99
    window: 'PT15M'
    dimensions: []
  }
  {
    name: 'storage-throttling'
    title: 'Storage is asked for more than it gives'
    severity: 'medium'
    resource: storageId
    namespace: 'Microsoft.Storage/storageAccounts'
    metric: 'Transactions'
    aggregation: 'Total'
    operator: 'GreaterThan'
    threshold: 100
    window: 'PT15M'
    dimensions: [
      {
        name: 'ResponseType'
        operator: 'Include'
        values: [ 'ServerBusyError', 'ClientThrottlingError', 'ClientAccountRequestThrottlingError' ]
      }
    ]
  }
  {
    name: 'vault-availability'
    title: 'The vault fails'
    severity: 'high'
    resource: vaultId
    namespace: 'Microsoft.KeyVault/vaults'
    metric: 'Availability'
    aggregation: 'Average'
    operator: 'LessThan'
    threshold: 99
    window: 'PT15M'
    dimensions: []
  }
  {
    name: 'events-undelivered'
    title: 'Dropped files were not told of'
    severity: 'high'
    resource: eventsId
    namespace: 'Microsoft.EventGrid/systemTopics'
    metric: 'DeadLetteredCount'
    aggregation: 'Total'
    operator: 'GreaterThan'
    threshold: 0
    window: 'PT15M'
    dimensions: []
  }
  {
    name: 'events-dropped'
    title: 'Events of dropped files are lost'
    severity: 'high'
    resource: eventsId
    namespace: 'Microsoft.EventGrid/systemTopics'
    // Neither delivered nor put into the container for undelivered events: nothing is left of them but the files.
    metric: 'DroppedEventCount'
    aggregation: 'Total'
    operator: 'GreaterThan'
    threshold: 0
    window: 'PT15M'
    dimensions: []
  }
]

resource rules 'Microsoft.Insights/metricAlerts@2018-03-01' = [for alert in alerts: {
  name: alert.name
  location: 'global'
  tags: tags
  properties: {
    description: '${alert.title}. docs/alerts.md says what to do: ${alert.name}'
    enabled: true
    severity: severities[alert.severity]
    scopes: [ alert.resource ]
    evaluationFrequency: 'PT5M'
    windowSize: alert.window
    criteria: {
      'odata.type': 'Microsoft.Azure.Monitor.SingleResourceMultipleMetricCriteria'
      allOf: [
        {
          criterionType: 'StaticThresholdCriterion'
          name: alert.metric
          metricNamespace: alert.namespace
          metricName: alert.metric
          skipMetricValidation: true
          timeAggregation: alert.aggregation
          operator: alert.operator
          threshold: alert.threshold
          dimensions: alert.dimensions
        }
      ]
    }
    autoMitigate: true
    actions: [ { actionGroupId: actionGroupId } ]
  }
}]
