// The source of events about blobs. Who receives them is set up after the code (inbox-subscriptions.bicep).

@description('Region of the topic: that of the storage account.')
param location string

@description('Name of the system topic.')
param name string

@description('The storage account whose events these are.')
param storageName string

@description('Workspace that failed deliveries are logged to.')
param workspaceId string

@description('Tags of every resource.')
param tags object

resource account 'Microsoft.Storage/storageAccounts@2024-01-01' existing = {
  name: storageName
}

resource topic 'Microsoft.EventGrid/systemTopics@2025-02-15' = {
  name: name
  location: location
  tags: tags
  // Writes what could not be delivered to a container: shared keys are off.
  identity: { type: 'SystemAssigned' }
  properties: {
    source: account.id
    topicType: 'Microsoft.Storage.StorageAccounts'
  }
}

resource failures 'Microsoft.Insights/diagnosticSettings@2021-05-01-preview' = {
  name: 'failures'
  scope: topic
  properties: {
    workspaceId: workspaceId
    logs: [
      { category: 'DeliveryFailures', enabled: true }
    ]
  }
}

@description('Name of the system topic.')
output name string = topic.name

@description('Resource ID of the system topic.')
output id string = topic.id

@description('Object ID of the topic, as role assignments refer to it.')
output principalId string = topic.identity.principalId
