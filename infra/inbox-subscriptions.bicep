// The second stage: blob events of the two inboxes go to the blob triggers.
//
// It can be deployed only after the code, because the key of the webhook exists from then on; Resource Manager looks
// the key up itself, so that it is in no file, parameter, output or log. scripts/connect_event_grid.sh deploys it.

@description('Name of the function app.')
param appName string

@description('Name of the Event Grid system topic.')
param topicName string

@description('Name of the storage account.')
param storageName string

// Container -> the function whose trigger it is (functions/dropped_files.py).
var inboxes = [
  { container: 'erp-inbox', function: 'ImportDroppedFile' }
  { container: 'calculations-inbox', function: 'TakeInCalculations' }
]

resource app 'Microsoft.Web/sites@2025-03-01' existing = {
  name: appName
}

resource account 'Microsoft.Storage/storageAccounts@2024-01-01' existing = {
  name: storageName
}

resource topic 'Microsoft.EventGrid/systemTopics@2025-02-15' existing = {
  name: topicName
}

resource subscriptions 'Microsoft.EventGrid/systemTopics/eventSubscriptions@2025-02-15' = [for inbox in inboxes: {
  parent: topic
  name: inbox.container
  properties: {
    destination: {
      endpointType: 'WebHook'
      properties: {
        endpointUrl: 'https://${app.properties.defaultHostName}/runtime/webhooks/blobs?functionName=Host.Functions.${inbox.function}&code=${listKeys('${app.id}/host/default', '2025-03-01').systemKeys.blobs_extension}'
        maxEventsPerBatch: 1
        minimumTlsVersionAllowed: '1.2'
      }
    }
    eventDeliverySchema: 'EventGridSchema'
    filter: {
      includedEventTypes: [ 'Microsoft.Storage.BlobCreated' ]
      subjectBeginsWith: '/blobServices/default/containers/${inbox.container}/blobs/'
    }
    retryPolicy: {
      maxDeliveryAttempts: 30
      eventTimeToLiveInMinutes: 1440
    }
    deadLetterWithResourceIdentity: {
      identity: { type: 'SystemAssigned' }
      deadLetterDestination: {
        endpointType: 'StorageBlob'
        properties: {
          resourceId: account.id
          blobContainerName: 'undelivered-events'
        }
      }
    }
  }
}]
