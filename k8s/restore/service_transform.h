// Services lose what a cluster assigned to them (Velero: pkg/restore/actions/service_action.go).
#pragma once

#include "k8s/client/json_access.h"

namespace holdfast::k8s {

// Needs metadata.managedFields and the annotation of the last applied configuration still in place: a node port that
// somebody asked for stays, one that was assigned goes, unless `preserve_node_ports`.
void transform_service(json::object& service, bool preserve_node_ports);

}  // namespace holdfast::k8s
