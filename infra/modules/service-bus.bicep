// The queues that messages travel by (shared/messaging/queue_names.py).

@description('Region of the namespace.')
param location string

@description('Name of the namespace.')
param name string

@description('Reached by a private endpoint alone. That needs the Premium tier, and a namespace cannot change its tier.')
param privateNetwork bool

@description('Workspace that the operational logs go to.')
param workspaceId string

@description('Tags of every resource.')
param tags object

var queues = [
  'import-slices'
  'notifications'
  'hr-events'
  'calculation-requests'
  'payroll-exports'
  'provisioning-syncs'
]

resource namespace 'Microsoft.ServiceBus/namespaces@2024-01-01' = {
  name: name
  location: location
  tags: tags
  sku: privateNetwork ? { name: 'Premium', tier: 'Premium', capacity: 1 } : { name: 'Standard', tier: 'Standard' }
  properties: {
    disableLocalAuth: true
    minimumTlsVersion: '1.2'
    publicNetworkAccess: privateNetwork ? 'Disabled' : 'Enabled'
  }
}

resource messageQueues 'Microsoft.ServiceBus/namespaces/queues@2024-01-01' = [for queue in queues: {
  parent: namespace
  name: queue
  properties: {
    // As often as `BROKER_DELIVERIES`: what fails so often without being settled is a crash loop.
    maxDeliveryCount: 5
    // The longest there is. The host renews it while the function runs; a killed worker's message is back after it.
    lockDuration: 'PT5M'
    // Longer than a message may wait for others (24 hours) and than an operator's week; then it is a dead letter too.
    defaultMessageTimeToLive: 'P14D'
    deadLetteringOnMessageExpiration: true
    // On the wire a message has an ID for each decision to send it: what is sent twice because an answer was lost, or a
    // worker was killed before it could complete, counts once; a new attempt is new. A killed worker's message is back
    // when its lock ends: up to 15 minutes after it was taken (host.json, `maxAutoLockRenewalDuration`, and a lock more).
    requiresDuplicateDetection: true
    duplicateDetectionHistoryTimeWindow: 'PT20M'
    requiresSession: false
    enableBatchedOperations: true
    maxSizeInMegabytes: 1024
  }
}]

resource operations 'Microsoft.Insights/diagnosticSettings@2021-05-01-preview' = {
  name: 'operations'
  scope: namespace
  properties: {
    workspaceId: workspaceId
    logs: [
      { category: 'OperationalLogs', enabled: true }
    ]
  }
}

@description('Name of the namespace.')
output name string = namespace.name

@description('Resource ID of the namespace.')
output id string = namespace.id
