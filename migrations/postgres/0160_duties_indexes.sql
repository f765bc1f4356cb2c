-- Lists of payments and fulfilments are paged by position, and credit looks for a customer's open invoices.

CREATE INDEX payments_by_position ON payments (tenant, position);
CREATE INDEX fulfilments_by_position ON fulfilments (tenant, position);
CREATE INDEX invoices_open ON invoices (tenant, customer, currency, position) WHERE balance > 0;
