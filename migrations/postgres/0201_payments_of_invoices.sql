-- The payments of an invoice are paged by position.

CREATE INDEX invoice_payments_by_position ON invoice_payments (tenant, invoice, position);
