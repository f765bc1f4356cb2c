-- The invoices of one subscription, oldest first.

CREATE INDEX invoices_by_subscription ON invoices (tenant, subscription, position);
