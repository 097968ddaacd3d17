// The storage account: every table, container and storage queue of the hub (shared/provision.py).

@description('Region of the account.')
param location string

@description('Name of the account.')
param name string

@description('Replication.')
@allowed([ 'LRS', 'ZRS', 'GRS', 'GZRS' ])
param sku string

@description('Closed to everything but the private endpoints, trusted Azure services and the addresses below.')
param privateNetwork bool

@description('Public IP addresses that may reach the account all the same when the network is private.')
param operatorIpAddresses array

@description('Days that payloads of messages are kept. A dead letter that is older cannot be sent again.')
@minValue(60)
param payloadDays int

@description('Workspace that the audit logs go to.')
param workspaceId string

@description('Tags of every resource.')
param tags object

var tables = [
  'ImportRuns'
  'ImportSlices'
  'StagingSalesData'
  'ImportRejects'
  'SalesSnapshots'
  'SalesMetrics'
  'EmployeeMappings'
  'HeldSales'
  'Employees'
  'PlanVersions'
  'UntoldDecisions'
  'Calculations'
  'Exports'
  'AuditTrail'
  'CalculationRuns'
  'HrDeliveries'
  'HrSyncRuns'
  'ScimUsers'
  'ScimGroups'
  'ProvisioningSyncs'
  'MailLog'
  'DeadLetters'
  'Heartbeats'
  'Idempotency'
  'Locks'
  'CircuitBreakers'
  'RateLimits'
]

var containers = [
  'erp-inbox'
  'erp-quarantine'
  'import-slices'
  'hr-events'
  'hr-sync'
  'calculations-inbox'
  'exports'
  'calculations-quarantine'
  'dead-letters'
  'message-payloads'
]

// Not the code's: the packages that the app is deployed from, and the events that Event Grid could not deliver.
var platformContainers = [
  'deployments'
  'undelivered-events'
]

// The messages travel by Service Bus. This queue is the blob triggers' own: what they gave up, read by the hub.
var queues = [
  'webjobs-blobtrigger-poison'
]

resource account 'Microsoft.Storage/storageAccounts@2024-01-01' = {
  name: name
  location: location
  tags: tags
  kind: 'StorageV2'
  sku: { name: 'Standard_${sku}' }
  properties: {
    accessTier: 'Hot'
    allowSharedKeyAccess: false
    defaultToOAuthAuthentication: true
    allowBlobPublicAccess: false
    allowCrossTenantReplication: false
    minimumTlsVersion: 'TLS1_2'
    supportsHttpsTrafficOnly: true
    // Event Grid writes undelivered events as a trusted service: that way in is closed when public access is
    // disabled, so it is the rules that deny everybody else.
    publicNetworkAccess: 'Enabled'
    networkAcls: {
      bypass: 'AzureServices'
      defaultAction: privateNetwork ? 'Deny' : 'Allow'
      ipRules: [for address in operatorIpAddresses: { action: 'Allow', value: address }]
      virtualNetworkRules: []
    }
  }
}

resource blobs 'Microsoft.Storage/storageAccounts/blobServices@2024-01-01' = {
  parent: account
  name: 'default'
  properties: {
    // An archived export or an inbox file that somebody deletes by mistake can be had back.
    deleteRetentionPolicy: { enabled: true, days: 14 }
    containerDeleteRetentionPolicy: { enabled: true, days: 14 }
  }
}

resource blobContainers 'Microsoft.Storage/storageAccounts/blobServices/containers@2024-01-01' = [for container in concat(containers, platformContainers): {
  parent: blobs
  name: container
  properties: { publicAccess: 'None' }
}]

resource tableService 'Microsoft.Storage/storageAccounts/tableServices@2024-01-01' = {
  parent: account
  name: 'default'
}

resource storedTables 'Microsoft.Storage/storageAccounts/tableServices/tables@2024-01-01' = [for table in tables: {
  parent: tableService
  name: table
}]

resource queueService 'Microsoft.Storage/storageAccounts/queueServices@2024-01-01' = {
  parent: account
  name: 'default'
}

resource storageQueues 'Microsoft.Storage/storageAccounts/queueServices/queues@2024-01-01' = [for queue in queues: {
  parent: queueService
  name: queue
}]

resource lifecycle 'Microsoft.Storage/storageAccounts/managementPolicies@2024-01-01' = {
  parent: account
  name: 'default'
  properties: {
    policy: {
      // The sums of import slices are not here: a run counts again, however old, when an employee is mapped.
      rules: [
        {
          name: 'payloads-end'
          type: 'Lifecycle'
          enabled: true
          definition: {
            filters: { blobTypes: [ 'blockBlob' ], prefixMatch: [ 'message-payloads/' ] }
            actions: { baseBlob: { delete: { daysAfterModificationGreaterThan: payloadDays } } }
          }
        }
        {
          name: 'leftovers-end'
          type: 'Lifecycle'
          enabled: true
          definition: {
            // Of full syncs that were broken off, and of events that Event Grid could not deliver.
            filters: { blobTypes: [ 'blockBlob' ], prefixMatch: [ 'hr-sync/', 'undelivered-events/' ] }
            actions: { baseBlob: { delete: { daysAfterModificationGreaterThan: 60 } } }
          }
        }
      ]
    }
  }
  dependsOn: [ blobs ]
}

// Who changed or removed a blob, who removed rows. Reads and the writes of every row would cost more than the work.
resource blobAudit 'Microsoft.Insights/diagnosticSettings@2021-05-01-preview' = {
  name: 'audit'
  scope: blobs
  properties: {
    workspaceId: workspaceId
    logs: [
      { category: 'StorageWrite', enabled: true }
      { category: 'StorageDelete', enabled: true }
    ]
  }
}

resource tableAudit 'Microsoft.Insights/diagnosticSettings@2021-05-01-preview' = {
  name: 'audit'
  scope: tableService
  properties: {
    workspaceId: workspaceId
    logs: [
      { category: 'StorageDelete', enabled: true }
    ]
  }
}

resource queueAudit 'Microsoft.Insights/diagnosticSettings@2021-05-01-preview' = {
  name: 'audit'
  scope: queueService
  properties: {
    workspaceId: workspaceId
    logs: [
      { category: 'StorageDelete', enabled: true }
    ]
  }
}

@description('Name of the account.')
output name string = account.name

@description('Resource ID of the account.')
output id string = account.id
