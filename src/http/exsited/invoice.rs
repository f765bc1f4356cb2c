//! Invoices of orders, and what the preview of a change shows of those it would make.

use aggregates::{
    billing::{Explanation, Reason, TaxMode, Taxable, tax_by_line},
    calendar::Period,
    id::{ChargeId, LineId},
    invoice::{self, Issued},
    money::Money,
    subscription::{Charge, ChargeType},
};
use projections::{invoice::InvoiceView, order::OrderView};
use rust_decimal::Decimal;
use serde_json::{Value, json};

use super::{
    Api, Generation,
    wire::{charge_type, currency_object, number, price, time},
};
use crate::app::{invoicing::invoices::ExplainedLine, previews::Preview};

/// An invoice of an order.
pub(super) fn invoice(view: &InvoiceView, lines: &[ExplainedLine], order: &OrderView, api: Api) -> Value {
    let lines: Vec<Value> = lines
        .iter()
        .map(|explained| Line::of_view(explained, view).shown(order, api))
        .collect();
    let start = lines
        .iter()
        .filter_map(|line| line["charging_start_date"].as_str())
        .min();
    let end = lines.iter().filter_map(|line| line["charging_end_date"].as_str()).max();
    let due = view.balance.to_string();
    // By the account's credit and by payments.
    let paid = view.credit_applied.checked_add(view.paid).ok();
    let mut body = json!({
        // UNCONFIRMED: what is counted; here it is the one gapless series of the tenant's invoices.
        "id": format!("INV-{}-{:04}", order.details.account, view.number),
        "issue_date": view.issue_date.to_string(),
        "due_date": view.due_date.to_string(),
        "billing_start_date": start,
        "billing_end_date": end,
        "currency": currency_object(view.currency),
        "price_tax_inclusive": order.details.price_tax_inclusive,
        "subtotal": view.net.to_string(),
        "tax_total": view.tax.to_string(),
        "total": view.total.to_string(),
        "paid": paid.map(|paid| paid.to_string()),
        "due": due,
        "outstanding": due,
        "lines": lines,
        "created_on": time(view.created_at),
    });
    // UNCONFIRMED: the words of an invoice that is not to be paid any more.
    let status = if view.voided.is_some() { "voided" } else { "active" };
    if let Some(voided) = &view.voided {
        body["voided_on"] = time(voided.at).into();
    }
    // UNCONFIRMED: the payment statuses beyond `unpaid`.
    let payment = match (view.balance.minor, paid) {
        _ if view.voided.is_some() => "unpaid",
        (0, _) => "paid",
        (_, Some(paid)) if paid.minor > 0 => "partial",
        _ => "unpaid",
    };
    match api.generation {
        Generation::Legacy => {
            body["uuid"] = view.id.to_string().into();
            body["type"] = "LINKED_WITH_ORDER".into();
            body["status"] = status.to_ascii_uppercase().into();
            body["payment_status"] = payment.to_ascii_uppercase().into();
            body["account_id"] = order.details.account.as_str().into();
            body["order_id"] = order.details.number.as_str().into();
        }
        Generation::V4 => {
            body["object"] = "invoice".into();
            body["type"] = "linked_with_order".into();
            body["status"] = status.into();
            body["payment_status"] = payment.into();
            body["account"] = json!({
                "object": "account",
                "id": order.details.account,
                "href": format!("{}/accounts/{}", api.prefix, order.details.account),
            });
            body["order"] = json!({
                "object": "order",
                "id": order.details.number,
                "href": format!("{}/orders/{}", api.prefix, order.details.number),
            });
        }
    }
    body
}

/// A line of an invoice, whether that was made or not.
struct Line<'a> {
    charge: ChargeId,
    of: Option<LineId>,
    name: &'a str,
    period: Period,
    amount: Money,
    net: Money,
    tax: Option<Money>,
    gross: Money,
    rate: Option<String>,
    told: Option<&'a Explanation>,
}

impl<'a> Line<'a> {
    fn of_view(explained: &'a ExplainedLine, invoice: &InvoiceView) -> Self {
        let line = &explained.line;
        let money = |minor: i64| Money::new(minor, invoice.currency);
        Self {
            charge: line.charge,
            of: explained.of,
            name: &line.name,
            period: line.period,
            amount: money(line.amount),
            net: money(line.net),
            tax: line.tax.map(money),
            gross: money(line.gross),
            rate: line.tax_rate.clone(),
            told: explained.explanation.as_ref(),
        }
    }

    /// As it would be on an invoice; `charge` is what it is of, where that is known.
    fn of_issued(line: &'a invoice::Line, charge: Option<&'a Charge>) -> Self {
        Self {
            charge: line.charge,
            of: charge.and_then(|charge| charge.line),
            name: &line.name,
            period: line.period,
            amount: line.amount,
            net: line.net().unwrap_or(line.amount),
            tax: line.tax,
            gross: line.gross().unwrap_or(line.amount),
            rate: line.tax_rate.map(|rate| rate.to_string()),
            told: charge.and_then(|charge| charge.explanation.as_deref()),
        }
    }

    /// What waits for an invoice is taxed as if it were alone on it.
    fn of_waiting(charge: &'a Charge) -> Self {
        let alone = Taxable {
            amount: charge.amount,
            rate: charge.tax_rate,
            policy: charge.tax_policy(),
        };
        let taxed = tax_by_line(charge.amount.currency, &[alone]).ok();
        let taxed = taxed.and_then(|taxed| taxed.first().copied());
        let (net, tax) = taxed.map_or((charge.amount, None), |taxed| (taxed.net, Some(taxed.tax)));
        let inclusive = charge.tax_policy().mode == TaxMode::Inclusive;
        let added = tax.filter(|_| !inclusive);
        Self {
            charge: charge.id,
            of: charge.line,
            name: &charge.name,
            period: charge.period,
            amount: charge.amount,
            net,
            tax: charge.tax_rate.and(tax),
            gross: added
                .and_then(|tax| charge.amount.checked_add(tax).ok())
                .unwrap_or(charge.amount),
            rate: charge.tax_rate.map(|rate| rate.to_string()),
            told: charge.explanation.as_deref(),
        }
    }

    /// Periods are shown with their last day in them. What is charged by hand is one of its amount.
    fn shown(&self, order: &OrderView, api: Api) -> Value {
        let last = self.period.end.and_then(|end| end.pred_opt());
        let ordered = order.details.lines.iter().find(|line| Some(line.id) == self.of);
        let kind = self.told.map_or(ChargeType::OneOff, |told| match told.reason {
            Reason::OneOff => ChargeType::OneOff,
            Reason::Trial | Reason::Period | Reason::Unused => ChargeType::Recurring,
            Reason::Usage | Reason::UsageCorrection => ChargeType::Metered,
        });
        // What is charged once, and goes on for ever, is of a period too: the order knows better.
        let kind = ordered.map_or(kind, |line| line.charge_type);
        let (quantity, unit) = self.units();
        let item = ordered.map(|line| line.item.as_str());
        let rate: Option<Decimal> = self.rate.as_deref().and_then(|rate| rate.parse().ok());
        let tax_name = ordered.and_then(|line| line.tax.as_ref()?.name.as_deref());
        let tax = self.tax.map(|tax| tax.to_string());
        let mut body = json!({
            "charge_item_uuid": self.of.map(|line| line.to_string()),
            "item_id": item,
            "item_name": self.name,
            "item_charge_type": charge_type(kind),
            "charging_start_date": self.period.start.to_string(),
            "charging_end_date": last.map(|last| last.to_string()),
            "subtotal": self.net.to_string(),
            "total": self.gross.to_string(),
        });
        match api.generation {
            Generation::Legacy => {
                body["uuid"] = self.charge.to_string().into();
                body["item_order_quantity"] = quantity.to_string().into();
                body["pricing_snapshot_price"] = price(unit).into();
                if let Some(rate) = rate {
                    body["tax"] = tax.into();
                    body["item_price_tax"] = json!({"code": tax_name, "rate": rate.to_string()});
                }
            }
            Generation::V4 => {
                body["object"] = "invoice_line".into();
                body["id"] = self.charge.to_string().into();
                body["uuid"] = self.charge.to_string().into();
                body["item"] = json!({"object": "item", "id": item, "name": self.name});
                body["item_order_quantity"] = number(quantity);
                body["pricing_snapshot_price"] = number(unit);
                if let Some(rate) = rate {
                    body["tax"] = json!({"object": "tax", "name": tax_name, "rate": number(rate), "amount": tax});
                }
            }
        }
        body
    }

    /// How many of which price; all of it is one where no one price holds for each.
    fn units(&self) -> (Decimal, Decimal) {
        let Some(told) = self.told else {
            return (Decimal::ONE, self.amount.to_decimal().normalize());
        };
        match told.steps.as_slice() {
            [step] if step.flat.is_zero() => (told.quantity.normalize(), step.unit.normalize()),
            [] => (told.quantity.normalize(), Decimal::ZERO),
            _ => (Decimal::ONE, told.full_price.normalize()),
        }
    }
}

/// What a change of an order would be charged, and the invoices it would be charged on.
// UNCONFIRMED: how the vendor answers a preview.
pub(super) fn preview(preview: &Preview, order: &OrderView, api: Api) -> Value {
    let known = |id: ChargeId| {
        let charges = preview.charges.iter().map(|(_, charge)| charge);
        charges.chain(&preview.beside).find(|charge| charge.id == id)
    };
    let on_invoice = |id: ChargeId| {
        let mut lines = preview.invoices.iter().flat_map(|issued| &issued.lines);
        lines.find(|line| line.charge == id)
    };
    let charge = |charge: &Charge| match on_invoice(charge.id) {
        Some(line) => Line::of_issued(line, Some(charge)).shown(order, api),
        None => Line::of_waiting(charge).shown(order, api),
    };
    let invoice = |issued: &Issued| {
        let lines = issued.lines.iter();
        let lines = lines.map(|line| Line::of_issued(line, known(line.charge)).shown(order, api));
        json!({
            "issue_date": issued.issue_date.to_string(),
            "due_date": issued.due_date.to_string(),
            "currency": currency_object(issued.currency),
            "subtotal": issued.net().to_string(),
            "tax_total": issued.tax().to_string(),
            "total": issued.total.to_string(),
            "due": issued.to_pay().to_string(),
            "outstanding": issued.to_pay().to_string(),
            "lines": lines.collect::<Vec<_>>(),
        })
    };
    json!({
        "charges": preview.charges.iter().map(|(_, one)| charge(one)).collect::<Vec<_>>(),
        "invoices": preview.invoices.iter().map(invoice).collect::<Vec<_>>(),
    })
}
