// A private endpoint of one service, found under the service's own name.

@description('Region of the endpoint.')
param location string

@description('Name of the endpoint.')
param name string

@description('Subnet of the endpoint.')
param subnetId string

@description('Resource ID of the service.')
param serviceId string

@description('Which part of the service: blob, queue, table, vault, namespace.')
param group string

@description('Resource ID of the DNS zone of that part.')
param zoneId string

@description('Tags of every resource.')
param tags object

resource endpoint 'Microsoft.Network/privateEndpoints@2024-05-01' = {
  name: name
  location: location
  tags: tags
  properties: {
    subnet: { id: subnetId }
    privateLinkServiceConnections: [
      { name: group, properties: { privateLinkServiceId: serviceId, groupIds: [ group ] } }
    ]
  }

  resource dns 'privateDnsZoneGroups' = {
    name: 'default'
    properties: {
      privateDnsZoneConfigs: [
        { name: group, properties: { privateDnsZoneId: zoneId } }
      ]
    }
  }
}
