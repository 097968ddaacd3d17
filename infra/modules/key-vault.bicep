// The secrets of the hub. The hub reads them itself; no secret is in a template, a setting or an output.

@description('Region of the vault.')
param location string

@description('Name of the vault.')
param name string

@description('Closed to everything but the private endpoint and the addresses below.')
param privateNetwork bool

@description('Public IP addresses that may reach the vault all the same when the network is private.')
param operatorIpAddresses array

@description('Workspace that the audit log goes to.')
param workspaceId string

@description('Tags of every resource.')
param tags object

resource vault 'Microsoft.KeyVault/vaults@2024-11-01' = {
  name: name
  location: location
  tags: tags
  properties: {
    tenantId: tenant().tenantId
    sku: { family: 'A', name: 'standard' }
    enableRbacAuthorization: true
    enableSoftDelete: true
    softDeleteRetentionInDays: 90
    enablePurgeProtection: true
    enabledForDeployment: false
    enabledForDiskEncryption: false
    enabledForTemplateDeployment: false
    publicNetworkAccess: privateNetwork && empty(operatorIpAddresses) ? 'Disabled' : 'Enabled'
    networkAcls: {
      bypass: 'None'
      defaultAction: privateNetwork ? 'Deny' : 'Allow'
      ipRules: [for address in operatorIpAddresses: { value: address }]
      virtualNetworkRules: []
    }
  }
}

// Who read or changed which secret.
resource audit 'Microsoft.Insights/diagnosticSettings@2021-05-01-preview' = {
  name: 'audit'
  scope: vault
  properties: {
    workspaceId: workspaceId
    logs: [
      { category: 'AuditEvent', enabled: true }
    ]
  }
}

@description('Name of the vault.')
output name string = vault.name

@description('Resource ID of the vault.')
output id string = vault.id

@description('Address of the vault.')
output url string = vault.properties.vaultUri
