// /v1/webhooks
#pragma once

#include "daemon/admin/admin_call.h"
#include "daemon/webhooks.h"

namespace holdfast {

Result<HttpResponse> serve_webhooks(WebhookService& webhooks, const AdminCall& call);

}  // namespace holdfast
