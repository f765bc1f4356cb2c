-- Voided invoices; their charges may stand on a later invoice once more.

ALTER TABLE invoices ADD COLUMN voided_at BIGINT;
ALTER TABLE invoices ADD COLUMN void_reason TEXT;

DROP INDEX invoice_lines_by_charge;
CREATE INDEX invoice_lines_by_charge ON invoice_lines (tenant, charge);
