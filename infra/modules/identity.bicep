// Who the hub is towards Azure's own services. User-assigned, so that its roles exist before the app starts.

@description('Region of the identity.')
param location string

@description('Name of the identity.')
param name string

@description('Tags of every resource.')
param tags object

resource identity 'Microsoft.ManagedIdentity/userAssignedIdentities@2024-11-30' = {
  name: name
  location: location
  tags: tags
}

@description('Resource ID, as resources refer to the identity.')
output id string = identity.id

@description('Object ID, as role assignments refer to it.')
output principalId string = identity.properties.principalId

@description('Client ID, as the SDKs refer to it.')
output clientId string = identity.properties.clientId
