// Everything that the hub runs on, in one resource group: whoever deploys needs rights on that group and nowhere else.
//
// The code comes after this (scripts/deploy_package.sh), the inboxes' event subscriptions after the code
// (inbox-subscriptions.bicep). docs/deploy.md has the order.

targetScope = 'resourceGroup'

import { hubSettings } from 'settings.bicep'

@description('Name of the deployment, in lower case: a company and an environment, such as dsif-prod.')
@minLength(3)
@maxLength(14)
param name string

@description('Region of everything that has one.')
param location string = resourceGroup().location

@description('What an operator decides: partners, business rules, recipients. No secrets.')
param settings hubSettings

@description('Memory of an instance, in megabytes.')
@allowed([ 512, 2048, 4096 ])
param instanceMemoryMB int = 2048

@description('Most instances at once. The lowest number that Azure takes has been 40 and 1.')
@minValue(1)
@maxValue(1000)
param maximumInstanceCount int = 40

@description('Instances that are always there, by group: http (webhooks, API), blob, or function:<name>. They cost while idle.')
param alwaysReady array = []

@description('Threads that run functions in one instance, and as many messages and requests are worked on at once. At least as many as host.json lets the triggers of storage queues take.')
@minValue(12)
@maxValue(32)
param threads int = 16

@description('What an update does to functions that run: Recreate, which every region has, ends them where they are, and what they were at is taken up again; RollingUpdate lets them end, where the region has it.')
@allowed([ 'Recreate', 'RollingUpdate' ])
param siteUpdateStrategy string = 'Recreate'

@description('Spread the app over availability zones. Each always-ready group then has at least two instances, and storage must be ZRS or GZRS.')
param zoneRedundant bool = false

@description('How often, and where, storage keeps what was calculated, approved and exported: one zone (LRS), three (ZRS), or another region too (GRS, GZRS).')
@allowed([ 'LRS', 'ZRS', 'GRS', 'GZRS' ])
param storageRedundancy string = 'ZRS'

@description('Everything behind private endpoints. Decide before the first deployment: Service Bus cannot change its tier.')
param privateNetwork bool = false

@description('Address space of the network of privateNetwork or stableOutboundAddress, at least a /26.')
param networkAddressPrefix string = '10.77.0.0/24'

@description('One outbound address for partners that allow addresses (SFTP, ERP): a NAT gateway, which costs while idle. The output outboundAddress has it.')
param stableOutboundAddress bool = false

@description('Public IP addresses from which operators reach storage and vault although the network is private.')
param operatorIpAddresses array = []

@description('Object ID of the group or user that puts secrets into the vault; empty: granted elsewhere.')
param vaultOfficerPrincipalId string = ''

@description('Kind of that principal.')
@allowed([ 'Group', 'ServicePrincipal', 'User' ])
param vaultOfficerPrincipalType string = 'Group'

@description('Name of a system topic that the storage account has already, as Defender for Storage makes one: an account has one alone. Empty: it is made. One that is named keeps its subscriptions and gets a system-assigned identity.')
param existingTopicName string = ''

@description('E-mail addresses that alerts go to.')
@minLength(1)
param alertEmailAddresses array

@description('Webhooks that alerts go to, of tools that need no secret in the address.')
param alertWebhookUrls array = []

@description('Whether alerts fire. False until the code is deployed for the first time: the timers of a hub that is not there yet are missing.')
param alertsEnabled bool = true

@description('Days that logs are kept.')
@minValue(30)
@maxValue(730)
param logRetentionDays int = 90

@description('Gigabytes of logs a day after which no more are taken in, and alerts go blind; -1: no limit.')
param logDailyLimitGigabytes int = -1

@description('Days that payloads of messages are kept. A dead letter that is older cannot be sent again.')
@minValue(60)
param payloadDays int = 400

var unique = uniqueString(resourceGroup().id, name)
var tags = { application: 'integration-hub', deployment: name }

// Names that modules find each other by: known before the deployment, so that what-if can tell what it would do.
var storageName = 'st${take(toLower(replace(name, '-', '')), 9)}${unique}'
var serviceBusName = 'sb-${name}-${unique}'
var vaultName = 'kv-${take(replace(name, '-', ''), 7)}-${unique}'
var componentName = 'appi-${name}'

module identity 'modules/identity.bicep' = {
  name: 'identity'
  params: {
    location: location
    name: 'id-${name}'
    tags: tags
  }
}

module monitoring 'modules/monitoring.bicep' = {
  name: 'monitoring'
  params: {
    location: location
    workspaceName: 'log-${name}'
    componentName: componentName
    actionGroupName: 'ag-${name}'
    retentionDays: logRetentionDays
    dailyLimitGigabytes: logDailyLimitGigabytes
    emailAddresses: alertEmailAddresses
    webhookUrls: alertWebhookUrls
    tags: tags
  }
}

module storage 'modules/storage.bicep' = {
  name: 'storage'
  params: {
    location: location
    name: storageName
    sku: zoneRedundant && !endsWith(storageRedundancy, 'ZRS') ? fail('zoneRedundant needs storageRedundancy ZRS or GZRS') : storageRedundancy
    privateNetwork: privateNetwork
    operatorIpAddresses: operatorIpAddresses
    payloadDays: payloadDays
    workspaceId: monitoring.outputs.workspaceId
    tags: tags
  }
}

module serviceBus 'modules/service-bus.bicep' = {
  name: 'service-bus'
  params: {
    location: location
    name: serviceBusName
    privateNetwork: privateNetwork
    workspaceId: monitoring.outputs.workspaceId
    tags: tags
  }
}

module vault 'modules/key-vault.bicep' = {
  name: 'key-vault'
  params: {
    location: location
    name: vaultName
    privateNetwork: privateNetwork
    operatorIpAddresses: operatorIpAddresses
    workspaceId: monitoring.outputs.workspaceId
    tags: tags
  }
}

module events 'modules/events.bicep' = {
  name: 'events'
  params: {
    location: location
    name: empty(existingTopicName) ? 'evgt-${name}' : existingTopicName
    storageName: storageName
    workspaceId: monitoring.outputs.workspaceId
    tags: tags
  }
  dependsOn: [ storage ]
}

module roleAssignments 'modules/role-assignments.bicep' = {
  name: 'role-assignments'
  params: {
    // An assignment is named after its principal: an identity that was made anew gets its roles anew.
    #disable-next-line what-if-short-circuiting
    hubPrincipalId: identity.outputs.principalId
    #disable-next-line what-if-short-circuiting
    eventsPrincipalId: events.outputs.principalId
    vaultOfficerPrincipalId: vaultOfficerPrincipalId
    vaultOfficerPrincipalType: vaultOfficerPrincipalType
    storageName: storageName
    serviceBusName: serviceBusName
    vaultName: vaultName
    componentName: componentName
  }
  dependsOn: [
    serviceBus
    storage
    vault
  ]
}

module network 'modules/network.bicep' = if (privateNetwork || stableOutboundAddress) {
  name: 'network'
  params: {
    location: location
    name: 'vnet-${name}'
    addressPrefix: networkAddressPrefix
    privateEndpoints: privateNetwork
    natGatewayName: stableOutboundAddress ? 'ng-${name}' : ''
    zoneRedundant: zoneRedundant
    tags: tags
  }
}

var privateGroups = privateNetwork ? [ 'blob', 'queue', 'table', 'vault', 'namespace' ] : []
var serviceIds = {
  blob: storage.outputs.id
  queue: storage.outputs.id
  table: storage.outputs.id
  vault: vault.outputs.id
  namespace: serviceBus.outputs.id
}

module privateEndpoints 'modules/private-endpoint.bicep' = [for group in privateGroups: {
  name: 'private-endpoint-${group}'
  params: {
    location: location
    name: 'pep-${name}-${group}'
    subnetId: network.?outputs.endpointsSubnetId ?? ''
    serviceId: serviceIds[group]
    group: group
    zoneId: network.?outputs.zoneIds[group] ?? ''
    tags: tags
  }
}]

module functionApp 'modules/function-app.bicep' = {
  name: 'function-app'
  params: {
    location: location
    name: 'func-${name}-${take(unique, 8)}'
    planName: 'plan-${name}'
    identityId: identity.outputs.id
    identityClientId: identity.outputs.clientId
    storageName: storageName
    serviceBusName: serviceBusName
    vaultUrl: vault.outputs.url
    componentName: componentName
    settings: settings
    instanceMemoryMB: instanceMemoryMB
    maximumInstanceCount: maximumInstanceCount
    alwaysReady: map(alwaysReady, group => union(group, { instanceCount: max(group.instanceCount, zoneRedundant ? 2 : 0) }))
    threads: threads
    siteUpdateStrategy: siteUpdateStrategy
    zoneRedundant: zoneRedundant
    subnetId: network.?outputs.appSubnetId ?? ''
    workspaceId: monitoring.outputs.workspaceId
    tags: tags
  }
  // The app must find its roles, and what is private, when it starts.
  dependsOn: [
    roleAssignments
    privateEndpoints
  ]
}

module logAlerts 'modules/log-alerts.bicep' = {
  name: 'log-alerts'
  params: {
    location: location
    workspaceId: monitoring.outputs.workspaceId
    actionGroupId: monitoring.outputs.actionGroupId
    enabled: alertsEnabled
    tags: tags
  }
}

module metricAlerts 'modules/metric-alerts.bicep' = if (alertsEnabled) {
  name: 'metric-alerts'
  params: {
    serviceBusId: serviceBus.outputs.id
    storageId: storage.outputs.id
    vaultId: vault.outputs.id
    eventsId: events.outputs.id
    actionGroupId: monitoring.outputs.actionGroupId
    tags: tags
  }
}

@description('Name of the function app.')
output appName string = functionApp.outputs.name

@description('Address of the hub.')
output hubUrl string = 'https://${functionApp.outputs.hostName}'

@description('Name of the storage account.')
output storageName string = storage.outputs.name

@description('Name of the vault.')
output vaultName string = vault.outputs.name

@description('Name of the Event Grid system topic.')
output topicName string = events.outputs.name

@description('Address that the hub calls partners from; empty without stableOutboundAddress.')
output outboundAddress string = stableOutboundAddress ? network!.outputs.outboundAddress : ''
