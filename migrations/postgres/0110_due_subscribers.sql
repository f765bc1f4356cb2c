-- A moved clock asks for what is due of one tenant.
CREATE INDEX subscribers_by_tenant_due ON subscribers (tenant, due_at, subscriber) WHERE due_at IS NOT NULL;
