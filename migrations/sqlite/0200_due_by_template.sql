-- Whoever bills leaves out the subscribers of templates that stand still: without reading them.

CREATE INDEX subscribers_by_template_due ON subscribers (tenant, template, due_at) WHERE due_at IS NOT NULL;
CREATE INDEX billing_templates_standing ON billing_templates (tenant, template) WHERE recurring AND NOT active AND NOT deleted;
