// Who may do what: the identities of the hub and of Event Grid, each role at the smallest scope that works.

@description('Object ID of the hub\'s identity.')
param hubPrincipalId string

@description('Object ID of the Event Grid system topic.')
param eventsPrincipalId string

@description('Object ID of the group or user that puts secrets into the vault; empty: nobody is granted that here.')
param vaultOfficerPrincipalId string

@description('Kind of that principal.')
param vaultOfficerPrincipalType string

@description('Name of the storage account.')
param storageName string

@description('Name of the Service Bus namespace.')
param serviceBusName string

@description('Name of the vault.')
param vaultName string

@description('Name of the Application Insights component.')
param componentName string

var roles = {
  storageBlobDataOwner: 'b7e6dc6d-f1e8-4753-8033-0f276bb0955b'
  storageBlobDataContributor: 'ba92f5b4-2d11-453d-a403-e96b0029c9fe'
  storageQueueDataContributor: '974c5e8b-45b9-4653-ba55-5f855dd0fb88'
  storageTableDataContributor: '0a9a7e1f-b9d0-4cc4-a60d-0319b160aaa3'
  serviceBusDataOwner: '090c5cfd-751d-490a-894a-3ce6f1109419'
  keyVaultSecretsUser: '4633458b-17de-408a-b874-0445c86b69e6'
  keyVaultSecretsOfficer: 'b86a8fe4-44ce-4948-aee5-eccb2c155cd7'
  monitoringMetricsPublisher: '3913510d-42f4-4e42-8a64-420c390055eb'
}

resource account 'Microsoft.Storage/storageAccounts@2024-01-01' existing = {
  name: storageName

  resource blobs 'blobServices' existing = {
    name: 'default'

    resource undelivered 'containers' existing = {
      name: 'undelivered-events'
    }
  }
}

resource namespace 'Microsoft.ServiceBus/namespaces@2024-01-01' existing = {
  name: serviceBusName
}

resource vault 'Microsoft.KeyVault/vaults@2024-11-01' existing = {
  name: vaultName
}

resource component 'Microsoft.Insights/components@2020-02-02' existing = {
  name: componentName
}

// The host keeps its leases, timers and keys in blobs, and reads the package of the app.
resource hubBlobs 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  name: guid(account.id, hubPrincipalId, roles.storageBlobDataOwner)
  scope: account
  properties: {
    principalId: hubPrincipalId
    principalType: 'ServicePrincipal'
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', roles.storageBlobDataOwner)
  }
}

// The blob triggers have a queue of their own, whose name only the host knows.
resource hubQueues 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  name: guid(account.id, hubPrincipalId, roles.storageQueueDataContributor)
  scope: account
  properties: {
    principalId: hubPrincipalId
    principalType: 'ServicePrincipal'
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', roles.storageQueueDataContributor)
  }
}

resource hubTables 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  name: guid(account.id, hubPrincipalId, roles.storageTableDataContributor)
  scope: account
  properties: {
    principalId: hubPrincipalId
    principalType: 'ServicePrincipal'
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', roles.storageTableDataContributor)
  }
}

// Sender and Receiver would do for the code. The scale controller reads the lengths of queues, which needs Manage, and
// at the scope of a queue it has been seen not to wake the app.
resource hubMessages 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  name: guid(namespace.id, hubPrincipalId, roles.serviceBusDataOwner)
  scope: namespace
  properties: {
    principalId: hubPrincipalId
    principalType: 'ServicePrincipal'
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', roles.serviceBusDataOwner)
  }
}

resource hubSecrets 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  name: guid(vault.id, hubPrincipalId, roles.keyVaultSecretsUser)
  scope: vault
  properties: {
    principalId: hubPrincipalId
    principalType: 'ServicePrincipal'
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', roles.keyVaultSecretsUser)
  }
}

resource hubTelemetry 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  name: guid(component.id, hubPrincipalId, roles.monitoringMetricsPublisher)
  scope: component
  properties: {
    principalId: hubPrincipalId
    principalType: 'ServicePrincipal'
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', roles.monitoringMetricsPublisher)
  }
}

// Event Grid writes what it could not deliver, into one container.
resource undeliveredEvents 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  name: guid(account::blobs::undelivered.id, eventsPrincipalId, roles.storageBlobDataContributor)
  scope: account::blobs::undelivered
  properties: {
    principalId: eventsPrincipalId
    principalType: 'ServicePrincipal'
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', roles.storageBlobDataContributor)
  }
}

// A person, who runs scripts/put_secrets.sh.
resource vaultOfficer 'Microsoft.Authorization/roleAssignments@2022-04-01' = if (!empty(vaultOfficerPrincipalId)) {
  name: guid(vault.id, vaultOfficerPrincipalId, roles.keyVaultSecretsOfficer)
  scope: vault
  properties: {
    principalId: vaultOfficerPrincipalId
    principalType: vaultOfficerPrincipalType
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', roles.keyVaultSecretsOfficer)
  }
}
