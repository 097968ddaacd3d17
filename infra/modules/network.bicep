// The app's subnet, with an outbound address of its own where it is wanted; the subnet of private endpoints and the names
// under which those are found.

@description('Region of the network.')
param location string

@description('Name of the virtual network.')
param name string

@description('Address space; the subnets are its first two /27.')
param addressPrefix string

@description('Whether there are private endpoints, which names must lead to.')
param privateEndpoints bool

@description('Name of the NAT gateway that gives the app one outbound address; empty: none.')
param natGatewayName string

@description('Keep the outbound address while a zone is down.')
param zoneRedundant bool

@description('Tags of every resource.')
param tags object

var zoneNames = {
  blob: 'privatelink.blob.${environment().suffixes.storage}'
  queue: 'privatelink.queue.${environment().suffixes.storage}'
  table: 'privatelink.table.${environment().suffixes.storage}'
  vault: 'privatelink.vaultcore.azure.net'
  namespace: 'privatelink.servicebus.windows.net'
}
var zones = privateEndpoints ? zoneNames : {}

resource outbound 'Microsoft.Network/publicIPAddresses@2024-05-01' = if (!empty(natGatewayName)) {
  name: 'pip-${natGatewayName}'
  location: location
  tags: tags
  sku: { name: 'Standard' }
  zones: zoneRedundant ? [ '1', '2', '3' ] : null
  properties: {
    publicIPAllocationMethod: 'Static'
    publicIPAddressVersion: 'IPv4'
  }
}

resource natGateway 'Microsoft.Network/natGateways@2024-05-01' = if (!empty(natGatewayName)) {
  name: natGatewayName
  location: location
  tags: tags
  sku: { name: 'Standard' }
  properties: {
    // Minutes that an idle connection keeps its port: an SFTP server may take its time.
    idleTimeoutInMinutes: 10
    publicIpAddresses: [ { id: outbound.id } ]
  }
}

resource network 'Microsoft.Network/virtualNetworks@2024-05-01' = {
  name: name
  location: location
  tags: tags
  properties: {
    addressSpace: { addressPrefixes: [ addressPrefix ] }
    subnets: [
      {
        name: 'app'
        properties: {
          // No smaller than /27, and with this delegation: Flex Consumption asks for both.
          addressPrefix: cidrSubnet(addressPrefix, 27, 0)
          natGateway: empty(natGatewayName) ? null : { id: natGateway.id }
          delegations: [
            { name: 'flex-consumption', properties: { serviceName: 'Microsoft.App/environments' } }
          ]
        }
      }
      {
        name: 'endpoints'
        properties: {
          addressPrefix: cidrSubnet(addressPrefix, 27, 1)
          privateEndpointNetworkPolicies: 'Enabled'
        }
      }
    ]
  }

  resource app 'subnets' existing = {
    name: 'app'
  }

  resource endpoints 'subnets' existing = {
    name: 'endpoints'
  }
}

resource privateZones 'Microsoft.Network/privateDnsZones@2024-06-01' = [for zone in items(zones): {
  name: zone.value
  location: 'global'
  tags: tags
}]

resource links 'Microsoft.Network/privateDnsZones/virtualNetworkLinks@2024-06-01' = [for (zone, i) in items(zones): {
  parent: privateZones[i]
  name: name
  location: 'global'
  tags: tags
  properties: {
    registrationEnabled: false
    virtualNetwork: { id: network.id }
  }
}]

@description('Subnet of the app.')
output appSubnetId string = network::app.id

@description('Subnet of the private endpoints.')
output endpointsSubnetId string = network::endpoints.id

@description('Resource IDs of the DNS zones, by what they are for: blob, queue, table, vault, namespace.')
output zoneIds object = toObject(items(zones), zone => zone.key, zone => resourceId('Microsoft.Network/privateDnsZones', zone.value))

@description('Public address that the app calls from; empty without a NAT gateway.')
output outboundAddress string = empty(natGatewayName) ? '' : outbound!.properties.ipAddress
