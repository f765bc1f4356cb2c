//! When what is billed at the end of its period is due.

use super::{
    books::{Books, instant, order},
    *,
};
use crate::{
    billing::Timing,
    order_terms::{Alignment, LineBilling},
};

fn preferences(invoice: &str, payment: &str, alignment: Alignment) -> OrderBillingPreferences {
    let term = |terms, name| catalogue::find(terms, |term: &crate::order_terms::Term| &term.name, name).unwrap();
    OrderBillingPreferences {
        invoice_term: term(catalogue::invoice_terms(), invoice),
        payment_term: term(catalogue::payment_terms(), payment),
        payment_term_alignment: alignment,
        ..OrderBillingPreferences::default()
    }
}

/// The due date of what is charged first for September, or of what starts on 1 October.
fn due(how: &str, billing: OrderBillingPreferences) -> NaiveDate {
    let start = if how == "advance" { "2026-10-01" } else { "2026-09-01" };
    let mut agreement = order("30.00", start, billing);
    let details = agreement.order.as_mut().unwrap();
    match how {
        "metered" => details.lines[0].charge_type = ChargeType::Metered,
        "arrears" => {
            let arrears = LineBilling {
                timing: Some(Timing::Arrears),
                ..LineBilling::default()
            };
            details.line_billing.insert(details.lines[0].id, arrears);
        }
        _ => {}
    }
    let mut books = Books::sign(agreement, "2026-08-20T00:00:00Z");
    let charges = books.bill_at(instant("2026-10-10T00:00:00Z"));
    let first = charges.first().unwrap();
    assert_eq!(first.period.start, date(start), "{how}");
    first.due_date
}

#[test]
fn every_kind_of_line_is_due_from_the_day_its_billing_starts() {
    use Alignment::{BillingDate, InvoiceDate};
    for (invoice, payment, alignment, expected) in [
        ("Billing Start Date", "Net 30", BillingDate, "2026-10-31"),
        ("Billing Start Date", "Net 30", InvoiceDate, "2026-10-31"),
        ("Net -7", "Net 30", BillingDate, "2026-10-31"),
        ("Net -7", "Net 30", InvoiceDate, "2026-10-24"),
        ("Net 7", "Due on Receipt", BillingDate, "2026-10-08"),
    ] {
        for how in ["advance", "arrears", "metered"] {
            let due = due(how, preferences(invoice, payment, alignment));
            assert_eq!(due, date(expected), "{how}: {invoice}, {payment}, {alignment:?}");
        }
    }
}
