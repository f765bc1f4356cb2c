//! Invoices and charges with how they came to be, in our API's words.

use std::collections::HashMap;

use aggregates::{
    billing::Explanation,
    calendar::Period,
    id::{ChargeId, SubscriptionId},
    invoice::{Issued, Line},
    money::{Money, exponent},
    subscription::Charge,
};
use projections::invoice::{InvoiceView, Voided};

use super::{
    convert::{print_id, print_time},
    origins::origin,
    wire,
};
use crate::app::{invoicing::invoices::ExplainedLine, previews::Preview, purchases::Bought};

pub fn invoice(view: &InvoiceView, lines: &[ExplainedLine]) -> wire::ExplainedInvoice {
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
        lines: lines.iter().map(|line| line_of_view(line, view)).collect(),
        net: text(view.net),
        tax: text(view.tax),
        total: text(view.total),
        credit_granted: text(view.credit_granted),
        credit_applied: text(view.credit_applied),
        to_pay: text(view.to_pay),
        voided: view.voided.as_ref().map(void),
    }
}

fn void(voided: &Voided) -> wire::Void {
    wire::Void {
        at: print_time(voided.at),
        reason: voided.reason.clone(),
    }
}

pub fn voided(view: &InvoiceView) -> wire::VoidedInvoice {
    wire::VoidedInvoice {
        id: print_id("Inv", view.id.0),
        number: view.number,
        status: "voided",
        total: view.total.to_string(),
        balance: view.balance.to_string(),
        voided: view.voided.as_ref().map(void),
    }
}

fn line_of_view(explained: &ExplainedLine, invoice: &InvoiceView) -> wire::ExplainedLine {
    let (view, currency) = (&explained.line, invoice.currency);
    let tax = view.tax.map(|tax| Money::new(tax, currency));
    wire::ExplainedLine {
        tax_rate: view.tax_rate.clone(),
        tax: tax.map(|tax| tax.to_string()),
        origin: explained.origin.as_ref().map(origin),
        ..line(
            view.charge.0,
            view.subscription.unwrap_or(invoice.subscription),
            &view.name,
            Money::new(view.amount, currency),
            view.period,
            explained.explanation.clone(),
        )
    }
}

fn line(
    id: uuid::Uuid,
    contract: SubscriptionId,
    name: &str,
    amount: Money,
    period: Period,
    explanation: Option<Explanation>,
) -> wire::ExplainedLine {
    wire::ExplainedLine {
        id: print_id("Item", id),
        contract_id: print_id("Cont", contract.0),
        name: name.to_owned(),
        amount: amount.to_string(),
        tax_rate: None,
        tax: None,
        period_start: period.start,
        period_end: period.end,
        explanation: explanation.map(|mut explanation| wire::Explained {
            correction: explanation.correction.take().map(|correction| wire::Correction {
                number: correction.number,
                billed_before: correction.billed_before.to_string(),
            }),
            explanation,
            rounding: wire::Rounding {
                mode: "half_away_from_zero",
                places: exponent(amount.currency),
            },
        }),
        origin: None,
    }
}

/// What billing would do.
pub fn preview(preview: &Preview) -> wire::Preview {
    let charges = preview.charges.iter().map(|(_, charge)| charge);
    let charges = charges.chain(&preview.beside).map(|charge| (charge.id, charge));
    let charges: HashMap<ChargeId, &Charge> = charges.collect();
    let explanation = |line: &Line| {
        let charge = charges.get(&line.charge);
        charge.and_then(|charge| charge.explanation.as_deref().cloned())
    };
    let contracts = preview.unbillable.iter().map(|(contract, reason)| wire::Unbillable {
        contract_id: Some(print_id("Cont", contract.0)),
        subscriber_id: None,
        reason: reason.clone(),
    });
    let subscribers = preview.without_purchase.iter();
    let subscribers = subscribers.map(|(subscriber, reason)| wire::Unbillable {
        contract_id: None,
        subscriber_id: Some(*subscriber),
        reason: reason.clone(),
    });
    wire::Preview {
        charges: preview
            .charges
            .iter()
            .map(|(contract, charge)| wire::PreviewedCharge {
                due_date: charge.due_date,
                line: charge_line(*contract, charge),
            })
            .collect(),
        invoices: preview
            .invoices
            .iter()
            .map(|issued| draft(issued, explanation))
            .collect(),
        purchases: preview.purchases.iter().map(purchase).collect(),
        unbillable: contracts.chain(subscribers).collect(),
    }
}

fn purchase(bought: &Bought) -> wire::PreviewedPurchase {
    let Bought {
        purchase,
        customer,
        order,
        total,
    } = bought;
    let amount = |minor: i64| Money::new(minor, total.currency).to_string();
    let products = order.details.products.iter().map(|product| wire::PreviewedProduct {
        name: product.name.clone(),
        quantity: product.quantity.to_string(),
        price: amount(product.price),
        discount: amount(product.discount),
        tax_percent: product.tax_percent.to_string(),
    });
    wire::PreviewedPurchase {
        id: purchase.to_string(),
        billing_template_id: order.billing_template,
        subscriber_id: order.subscriber,
        customer_id: print_id("Cust", customer.0),
        issued: order.issued,
        due: print_time(order.due),
        reference: order.reference.clone(),
        currency: total.currency.code(),
        products: products.collect(),
        total: total.to_string(),
    }
}

fn charge_line(contract: SubscriptionId, charge: &Charge) -> wire::ExplainedLine {
    let explanation = charge.explanation.as_deref().cloned();
    wire::ExplainedLine {
        tax_rate: charge.tax_rate.map(|rate| rate.to_string()),
        ..line(
            charge.id.0,
            contract,
            &charge.name,
            charge.amount,
            charge.period,
            explanation,
        )
    }
}

fn line_of_issued(own: &Line, issued: &Issued, explanation: Option<Explanation>) -> wire::ExplainedLine {
    let contract = own.subscription.unwrap_or(issued.subscription);
    wire::ExplainedLine {
        tax_rate: own.tax_rate.map(|rate| rate.to_string()),
        tax: own.tax.map(|tax| tax.to_string()),
        ..line(own.charge.0, contract, &own.name, own.amount, own.period, explanation)
    }
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
            .map(|own| line_of_issued(own, issued, explanation(own)))
            .collect(),
        net: issued.net().to_string(),
        tax: issued.tax().to_string(),
        total: issued.total.to_string(),
        credit_granted: text(issued.credit_granted),
        credit_applied: text(issued.credit_applied),
        to_pay: issued.to_pay().to_string(),
        voided: None,
    }
}
