-- Which subscriptions share their invoices, and whose the lines of a shared invoice are.

ALTER TABLE billing_due ADD COLUMN zone TEXT NOT NULL DEFAULT 'UTC';
ALTER TABLE billing_due ADD COLUMN consolidation TEXT; -- the key; null where it has invoices of its own

ALTER TABLE invoice_lines ADD COLUMN subscription TEXT; -- null where it is the invoice's own
CREATE INDEX invoice_lines_by_subscription ON invoice_lines (tenant, subscription) WHERE subscription IS NOT NULL;
