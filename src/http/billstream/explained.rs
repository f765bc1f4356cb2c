//! Invoices and charges with how they came to be, in our API's words.

use aggregates::{
    billing::Explanation,
    calendar::Period,
    invoice::{Issued, Line},
    money::{Currency, Money},
    subscription::Charge,
};
use projections::{invoice::InvoiceView, subscription::ChargeView};

use super::{convert::print_id, wire};
use crate::app::preview::Preview;

pub fn invoice(view: &InvoiceView, charges: &[ChargeView]) -> wire::ExplainedInvoice {
    let text = |amount: Money| amount.to_string();
    wire::ExplainedInvoice {
        id: print_id("Inv", view.id.0),
        number: Some(view.number),
        contract_id: print_id("Cont", view.subscription.0),
        customer_id: print_id("Cust", view.customer.0),
        currency: view.currency.code(),
        issue_date: view.issue_date,
        due_date: view.due_date,
        automatic_payment: view.automatic_payment,
        lines: charges.iter().map(line_of_view).collect(),
        tax: text(view.tax),
        total: text(view.total),
        credit_granted: text(view.credit_granted),
        credit_applied: text(view.credit_applied),
        to_pay: text(view.to_pay),
    }
}

fn line_of_view(charge: &ChargeView) -> wire::ExplainedLine {
    line(
        charge.id.0,
        &charge.name,
        charge.amount,
        charge.period,
        charge.explanation.clone(),
    )
}

fn line(
    id: uuid::Uuid,
    name: &str,
    amount: Money,
    period: Period,
    explanation: Option<Explanation>,
) -> wire::ExplainedLine {
    wire::ExplainedLine {
        id: print_id("Item", id),
        name: name.to_owned(),
        amount: amount.to_string(),
        period_start: period.start,
        period_end: period.end,
        explanation,
    }
}

/// What billing would do.
pub fn preview(preview: &Preview) -> wire::Preview {
    let explanation = |line: &Line| {
        let charges = preview.charges.iter().map(|(_, charge)| charge);
        let mut charges = charges.chain(&preview.waiting);
        let charge = charges.find(|charge| charge.id == line.charge);
        charge.and_then(|charge| charge.explanation.as_deref().cloned())
    };
    wire::Preview {
        charges: preview
            .charges
            .iter()
            .map(|(contract, charge)| wire::PreviewedCharge {
                contract_id: print_id("Cont", contract.0),
                due_date: charge.due_date,
                line: charge_line(charge),
            })
            .collect(),
        invoices: preview
            .invoices
            .iter()
            .map(|issued| draft(issued, explanation))
            .collect(),
        unbillable: preview
            .unbillable
            .iter()
            .map(|(contract, reason)| wire::Unbillable {
                contract_id: print_id("Cont", contract.0),
                reason: reason.clone(),
            })
            .collect(),
    }
}

fn charge_line(charge: &Charge) -> wire::ExplainedLine {
    let explanation = charge.explanation.as_deref().cloned();
    line(charge.id.0, &charge.name, charge.amount, charge.period, explanation)
}

/// An invoice that is not made: it has no number.
pub fn draft(issued: &Issued, explanation: impl Fn(&Line) -> Option<Explanation>) -> wire::ExplainedInvoice {
    let text = |amount: Option<Money>| amount.unwrap_or(Money::zero(issued.currency)).to_string();
    wire::ExplainedInvoice {
        id: print_id("Inv", issued.invoice.0),
        number: None,
        contract_id: print_id("Cont", issued.subscription.0),
        customer_id: print_id("Cust", issued.customer.0),
        currency: issued.currency.code(),
        issue_date: issued.issue_date,
        due_date: issued.due_date,
        automatic_payment: issued.automatic_payment,
        lines: issued
            .lines
            .iter()
            .map(|own| line(own.charge.0, &own.name, own.amount, own.period, explanation(own)))
            .collect(),
        tax: tax(issued).to_string(),
        total: issued.total.to_string(),
        credit_granted: text(issued.credit_granted),
        credit_applied: text(issued.credit_applied),
        to_pay: issued.to_pay().to_string(),
    }
}

fn tax(issued: &Issued) -> Money {
    let currency: Currency = issued.currency;
    Money::new(issued.taxes.iter().map(|rate| rate.tax.minor).sum(), currency)
}
