-- Whoever bills reads the first who are due on each template, in the order in which they are.

DROP INDEX subscribers_by_template_due;
CREATE INDEX subscribers_by_template_due ON subscribers (tenant, template, due_at, subscriber) WHERE due_at IS NOT NULL;
