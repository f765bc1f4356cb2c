-- What tax is on each line of an invoice, and what the line comes to without it. Unknown of invoices of before.

ALTER TABLE invoice_lines ADD COLUMN tax_rate TEXT;
ALTER TABLE invoice_lines ADD COLUMN tax INTEGER;
ALTER TABLE invoice_lines ADD COLUMN net INTEGER;
