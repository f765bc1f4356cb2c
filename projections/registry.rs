//! The one table of all projections.

use crate::{
    Recorded, Table, Writes, billing_template, catalog, credit, customer, customer_timeline, due, fulfilment, invoice,
    message, order, payment, preferences, purchase, subscriber, subscription, tenant, usage, usage_entry,
};

/// Whether a view is written in the transaction of its events, or afterwards from a checkpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    Inline,
    Async,
}

pub struct Projection {
    pub name: &'static str,
    /// A new version is rebuilt from the log before it is read.
    pub version: i64,
    pub mode: Mode,
    pub tables: &'static [&'static Table],
    /// The types of aggregate whose events it looks at.
    pub reads: &'static [&'static str],
    pub apply: fn(&Recorded<'_>, &mut Writes),
}

pub static PROJECTIONS: &[Projection] = &[
    Projection {
        name: "billing_template",
        version: 1,
        mode: Mode::Inline,
        tables: &[&billing_template::BILLING_TEMPLATES],
        reads: &["billing_template"],
        apply: billing_template::apply,
    },
    Projection {
        name: "catalog",
        version: 2,
        mode: Mode::Inline,
        tables: &[&catalog::PLANS],
        reads: &["plan"],
        apply: catalog::apply,
    },
    Projection {
        name: "credit",
        version: 2,
        mode: Mode::Inline,
        tables: &[&credit::CREDIT_BALANCES],
        reads: &["credit"],
        apply: credit::apply,
    },
    Projection {
        name: "customer",
        version: 1,
        mode: Mode::Inline,
        tables: &[&customer::CUSTOMERS],
        reads: &["customer"],
        apply: customer::apply,
    },
    Projection {
        name: "customer_timeline",
        version: 3,
        mode: Mode::Async,
        tables: &[&customer_timeline::CUSTOMER_TIMELINE],
        reads: &["customer", "invoice", "subscription"],
        apply: customer_timeline::apply,
    },
    Projection {
        name: "due",
        version: 3,
        mode: Mode::Inline,
        tables: &[&due::BILLING_DUE],
        reads: &["subscription"],
        apply: due::apply,
    },
    Projection {
        name: "fulfilment",
        version: 3,
        mode: Mode::Inline,
        tables: &[&fulfilment::FULFILMENTS],
        reads: &["fulfilment", "subscription"],
        apply: fulfilment::apply,
    },
    Projection {
        name: "invoice",
        version: 5,
        mode: Mode::Inline,
        tables: &[&invoice::INVOICES, &invoice::INVOICE_LINES, &invoice::INVOICE_PAYMENTS],
        reads: &["invoice", "payment"],
        apply: invoice::apply,
    },
    Projection {
        name: "message",
        version: 1,
        mode: Mode::Inline,
        tables: &[&message::MESSAGES],
        reads: &["invoice", "message", "payment"],
        apply: message::apply,
    },
    Projection {
        name: "order",
        version: 1,
        mode: Mode::Inline,
        tables: &[&order::ORDERS],
        reads: &["subscription"],
        apply: order::apply,
    },
    Projection {
        name: "payment",
        version: 3,
        mode: Mode::Inline,
        tables: &[&payment::COLLECTIONS_DUE, &payment::PAYMENTS],
        reads: &["invoice", "payment"],
        apply: payment::apply,
    },
    Projection {
        name: "preferences",
        version: 1,
        mode: Mode::Inline,
        tables: &[&preferences::PREFERENCES],
        reads: &["preferences"],
        apply: preferences::apply,
    },
    Projection {
        name: "purchase",
        version: 2,
        mode: Mode::Inline,
        tables: &[&purchase::PURCHASES, &purchase::PURCHASE_STATUS_HISTORY],
        reads: &["purchase"],
        apply: purchase::apply,
    },
    Projection {
        name: "subscriber",
        version: 1,
        mode: Mode::Inline,
        tables: &[&subscriber::SUBSCRIBERS],
        reads: &["subscriber"],
        apply: subscriber::apply,
    },
    Projection {
        name: "subscription",
        version: 5,
        mode: Mode::Inline,
        tables: &[&subscription::SUBSCRIPTIONS, &subscription::CHARGES],
        reads: &["subscription"],
        apply: subscription::apply,
    },
    Projection {
        name: "tenant",
        version: 2,
        mode: Mode::Inline,
        tables: &[&tenant::TENANTS, &tenant::CREDENTIALS],
        reads: &["tenant"],
        apply: tenant::apply,
    },
    Projection {
        name: "usage",
        version: 1,
        mode: Mode::Inline,
        tables: &[&usage::METERED_LINES, &usage::UNMATCHED_USAGE],
        reads: &["subscription", "usage"],
        apply: usage::apply,
    },
    Projection {
        name: "usage_entry",
        version: 1,
        mode: Mode::Inline,
        tables: &[&usage_entry::USAGE_ENTRIES, &usage_entry::METERED_ITEMS],
        reads: &["subscription", "usage_entry"],
        apply: usage_entry::apply,
    },
];

/// Applies every inline projection to one event.
pub fn apply_inline(recorded: &Recorded<'_>, writes: &mut Writes) {
    for projection in PROJECTIONS.iter().filter(|projection| projection.mode == Mode::Inline) {
        (projection.apply)(recorded, writes);
    }
}

/// The projection of that name.
pub fn find(name: &str) -> Option<&'static Projection> {
    PROJECTIONS.iter().find(|projection| projection.name == name)
}
