// The function app on its Flex Consumption plan, with every setting that follows from the deployed resources.

import { hubSettings } from '../settings.bicep'

@description('Region of the app.')
param location string

@description('Name of the app: also the host\'s ID, of which 32 characters count.')
@maxLength(32)
param name string

@description('Name of the plan. A Flex Consumption plan has one app.')
param planName string

@description('Resource ID of the user-assigned identity.')
param identityId string

@description('Client ID of the user-assigned identity.')
param identityClientId string

@description('Name of the storage account.')
param storageName string

@description('Name of the Service Bus namespace.')
param serviceBusName string

@description('Address of the vault.')
param vaultUrl string

@description('Name of the Application Insights component.')
param componentName string

@description('What an operator decides (settings.bicep).')
param settings hubSettings

@description('Memory of an instance: 512, 2048 or 4096 megabytes.')
param instanceMemoryMB int

@description('Most instances at once.')
param maximumInstanceCount int

@description('Instances that are always there, by group: http, blob or function:<name>.')
param alwaysReady array

@description('Threads that run functions in one instance: as many as its triggers work on at once.')
param threads int

@description('Recreate ends instances where they are; RollingUpdate drains them first.')
param siteUpdateStrategy string

@description('Zone-redundant plan; needs at least two instances in each always-ready group.')
param zoneRedundant bool

@description('Subnet that the app\'s own connections start from; empty: the public network.')
param subnetId string

@description('Workspace that the host\'s log goes to.')
param workspaceId string

@description('Tags of every resource.')
param tags object

resource account 'Microsoft.Storage/storageAccounts@2024-01-01' existing = {
  name: storageName
}

resource namespace 'Microsoft.ServiceBus/namespaces@2024-01-01' existing = {
  name: serviceBusName
}

resource component 'Microsoft.Insights/components@2020-02-02' existing = {
  name: componentName
}

// v1 access tokens, which carry the application ID URI as audience, come from this issuer; the keys are the same.
var issuer = 'https://sts.windows.net/${tenant().tenantId}/'

var platformSettings = {
  AZURE_CLIENT_ID: identityClientId
  // Whoever asks for / learns nothing of what runs here.
  AzureWebJobsDisableHomepage: 'true'
  AzureWebJobsStorage__credential: 'managedidentity'
  AzureWebJobsStorage__clientId: identityClientId
  AzureWebJobsStorage__blobServiceUri: account.properties.primaryEndpoints.blob
  AzureWebJobsStorage__queueServiceUri: account.properties.primaryEndpoints.queue
  AzureWebJobsStorage__tableServiceUri: account.properties.primaryEndpoints.table
  HUB_QUEUES: 'servicebus'
  ServiceBusConnection__credential: 'managedidentity'
  ServiceBusConnection__clientId: identityClientId
  ServiceBusConnection__fullyQualifiedNamespace: split(split(namespace.properties.serviceBusEndpoint, '//')[1], ':')[0]
  KEY_VAULT_URL: vaultUrl
  TELEMETRY_EXPORTER: 'application-insights'
  APPLICATIONINSIGHTS_CONNECTION_STRING: component.properties.ConnectionString
  APPLICATIONINSIGHTS_AUTHENTICATION_STRING: 'ClientId=${identityClientId};Authorization=AAD'
  AUTH_ISSUER: issuer
  AUTH_JWKS_URL: '${environment().authentication.loginEndpoint}${tenant().tenantId}/discovery/v2.0/keys'
  PYTHON_THREADPOOL_THREAD_COUNT: string(threads)
  // In the place of what host.json says: a message that waits for a thread is locked meanwhile, and a thread that waits
  // for no message idles.
  AzureFunctionsJobHost__extensions__serviceBus__maxConcurrentCalls: string(threads)
}

// Recreate is what Azure does unasked; a region that does not have RollingUpdate yet is not asked about either.
var updates = siteUpdateStrategy == 'Recreate' ? {} : { siteUpdateStrategy: { type: siteUpdateStrategy } }

var config = {
  runtime: { name: 'python', version: '3.13' }
  deployment: {
    storage: {
      type: 'blobContainer'
      value: '${account.properties.primaryEndpoints.blob}deployments'
      authentication: {
        type: 'UserAssignedIdentity'
        userAssignedIdentityResourceId: identityId
      }
    }
  }
  scaleAndConcurrency: {
    instanceMemoryMB: instanceMemoryMB
    maximumInstanceCount: maximumInstanceCount
    alwaysReady: alwaysReady
    triggers: { http: { perInstanceConcurrency: threads } }
  }
}

resource plan 'Microsoft.Web/serverfarms@2025-03-01' = {
  name: planName
  location: location
  tags: tags
  kind: 'functionapp'
  sku: { tier: 'FlexConsumption', name: 'FC1' }
  properties: {
    reserved: true
    zoneRedundant: zoneRedundant
  }
}

resource app 'Microsoft.Web/sites@2025-03-01' = {
  name: name
  location: location
  tags: union(tags, { 'azd-service-name': 'hub' })
  kind: 'functionapp,linux'
  identity: {
    type: 'UserAssigned'
    userAssignedIdentities: { '${identityId}': {} }
  }
  properties: {
    serverFarmId: plan.id
    httpsOnly: true
    virtualNetworkSubnetId: empty(subnetId) ? null : subnetId
    functionAppConfig: union(config, updates)
    siteConfig: {
      minTlsVersion: '1.2'
      appSettings: map(items(union(platformSettings, settings)), one => { name: one.key, value: one.value })
    }
  }

  // The code is deployed by identity alone, never with a user name and password.
  resource publishing 'basicPublishingCredentialsPolicies' = {
    name: 'scm'
    properties: { allow: false }
  }
}

// What the host says, also when the hub does not load and says nothing itself.
resource hostLog 'Microsoft.Insights/diagnosticSettings@2021-05-01-preview' = {
  name: 'host-log'
  scope: app
  properties: {
    workspaceId: workspaceId
    logs: [
      { category: 'FunctionAppLogs', enabled: true }
    ]
  }
}

@description('Name of the app.')
output name string = app.name

@description('Resource ID of the app.')
output id string = app.id

@description('Host name of the app.')
output hostName string = app.properties.defaultHostName
