//! How a step is taken: through the same use cases as any request.

use std::sync::Arc;

use aggregates::{
    billing::TaxMode,
    calendar::Period,
    id::{LineId, SubscriptionId},
    money::Money,
    order_terms::{LineBillingChanges, OrderBillingChanges, catalogue},
    payment::payment_id,
    subscription::{ChargeType, Cycle, LineChange, OrderChange},
};
use billstream::app::{
    contracts::{
        ChargeOrder, NewContract, Special,
        upgrades::{Start, Target, Upgrade},
    },
    invoicing::Selection,
    moves::Move,
    orders::{BillingUpdate, LineUpdate, NewOrder},
    payments::{Outcome, Paid},
    usage::{Sent, Whose},
};
use chrono::{Days, NaiveDate, TimeDelta};
use projections::subscription::Scope;
use rust_decimal::Decimal;

use super::{
    side::{Done, Side, said},
    steps::Step,
};
use crate::billing::eur;

impl Side {
    #[expect(clippy::too_many_lines, reason = "one arm a step")]
    pub async fn take(&mut self, step: &Step) -> Done {
        let request = self.request().await;
        let (app, today) = (Arc::clone(&self.app), request.at.date_naive());
        let on = |about: i64| Some(today + TimeDelta::days(about));
        match step {
            Step::Sign {
                customer,
                plan,
                about,
                trial,
                offset,
            } => {
                let new = NewContract {
                    customer: self.customers[*customer],
                    plan: self.plans[*plan].0,
                    currency: eur(),
                    cycle: Cycle::Month,
                    activation: on(*about),
                    automatic_payment: None,
                    invoice_trigger: None,
                    pending: false,
                    special: Special {
                        trial_days: *trial,
                        cycle_start_offset: *offset,
                        ..Special::default()
                    },
                };
                let request = self.fitting(|_| {
                    let request = self.request_at(request.at);
                    let id = SubscriptionId(request.derive("subscription"));
                    (request, id)
                });
                let signed = app.sign_contract(&request, new).await;
                self.contracts.push(signed.map_err(|error| error.to_string())?);
                Ok(())
            }
            Step::Order {
                customer,
                units,
                price,
                metered,
            } => {
                let n = self.contracts.len();
                let number = self.fitting(|other| {
                    let number = format!("ORD-{n}-{other}");
                    let id = SubscriptionId(self.tenant.derive(&format!("order/{number}")));
                    (number, id)
                });
                let mut lines = vec![Self::ordered(n, 0, *units, *price, ChargeType::Recurring)];
                if *metered {
                    lines.push(Self::ordered(n, 1, Decimal::ONE, 7, ChargeType::Metered));
                }
                let ids = lines.iter().map(|line| line.id).collect();
                let new = NewOrder {
                    customer: self.customers[*customer],
                    account: format!("CODE{customer}"),
                    number: Some(number.clone()),
                    name: None,
                    currency: eur(),
                    start: today,
                    price_tax_inclusive: self.terms.policy.tax_mode == Some(TaxMode::Inclusive),
                    lines,
                    billing: self.over(&self.base),
                };
                app.create_order(&request, &new)
                    .await
                    .map_err(|error| error.to_string())?;
                let view = app.order(&self.tenant, &number).await.expect("readable").expect("it");
                self.contracts.push(view.id);
                self.numbers.insert(n, (number, ids));
                Ok(())
            }
            Step::Plan { of, plan, cycle, about } => {
                let (n, id) = self.contract(*of)?;
                if self.numbers.contains_key(&n) {
                    return Err("an order has no plan".to_owned());
                }
                let changed = app.change_plan(&request, id, self.plans[*plan].0, *cycle, on(*about));
                said(changed.await)?;
                self.replanned.insert(id);
                Ok(())
            }
            Step::Quantity {
                of,
                plan,
                line,
                quantity,
                about,
            } => {
                let (_, id) = self.contract(*of)?;
                let lines = &self.plans[*plan].1;
                let line = lines[line % lines.len()];
                said(
                    app.change_quantity(&request, id, line, (*quantity).into(), on(*about))
                        .await,
                )
            }
            Step::Pause { of, about } => said(app.pause(&request, self.contract(*of)?.1, on(*about)).await),
            Step::Resume { of, about } => said(app.resume(&request, self.contract(*of)?.1, on(*about)).await),
            Step::End { of, about } => said(app.end(&request, self.contract(*of)?.1, on(*about)).await),
            Step::Reactivate { of, about } => said(app.reactivate(&request, self.contract(*of)?.1, on(*about)).await),
            Step::Upgrade { of, plan, start, units } => {
                let (n, id) = self.contract(*of)?;
                if self.numbers.contains_key(&n) {
                    return Err("an order has no plan".to_owned());
                }
                if plan.is_none() && self.replanned.contains(&id) {
                    return Err("no door changes a plan and then the units of whichever lines run".to_owned());
                }
                let upgrade = Upgrade {
                    target: match plan {
                        Some(plan) => Target::Plan {
                            plan: self.plans[*plan].0,
                            currency: None,
                            cycle: None,
                        },
                        None => Target::Units,
                    },
                    start: start.map_or(Start::Today, |about| Start::On(today + TimeDelta::days(about))),
                    downgrade_allowed: true,
                    units: vec![("Base fee".to_owned(), (*units).into())],
                };
                let next = app.upgrade_contract(&request, id, &upgrade).await;
                let next = next.map_err(|error| error.to_string())?;
                if next != id {
                    self.contracts.push(next);
                }
                Ok(())
            }
            Step::Move { of, to, about } => {
                let (n, id) = self.contract(*of)?;
                let number = self.numbers.get(&n).map(|(number, _)| format!("{number}-m"));
                let to = Move {
                    customer: self.customers[*to],
                    effective: on(*about),
                    order: number.clone(),
                };
                let moved = app.move_subscription(&request, id, &to).await;
                let moved = moved.map_err(|error| error.to_string())?;
                if let Some(number) = number {
                    let agreed = app.subscription_state(&self.tenant, moved.contract).await.expect("it");
                    let order = agreed.agreement().and_then(|agreement| agreement.order.clone());
                    let lines = order.expect("an order").lines.iter().map(|line| line.id).collect();
                    self.numbers.insert(self.contracts.len(), (number, lines));
                }
                self.contracts.push(moved.contract);
                Ok(())
            }
            Step::Use { of, about, quantity } => {
                let (_, id) = self.contract(*of)?;
                let sent = Sent {
                    index: 0,
                    whose: Whose::Subscription(id),
                    id: None,
                    metric: "calls".to_owned(),
                    quantity: (*quantity).into(),
                    at: request.at + TimeDelta::days(*about),
                    key: None,
                    absolute: false,
                };
                let taken = app.record_usage(&request, &[sent]).await;
                let taken = taken.map_err(|error| error.to_string())?;
                // What nothing metered then stays so under other terms.
                if taken.unmatched.is_empty() {
                    Ok(())
                } else {
                    Err("unmatched".to_owned())
                }
            }
            Step::Charge { of, cents } => {
                let charge = ChargeOrder {
                    name: "By hand".to_owned(),
                    amount: Money::new(*cents, eur()).to_string(),
                    period: Period {
                        start: today,
                        end: Some(today + Days::new(30)),
                    },
                    flat_fee: true,
                    automatic_payment: None,
                };
                said(app.add_charge(&request, self.contract(*of)?.1, &charge).await)
            }
            Step::Gift { customer, cents } => {
                let amount = Money::new(*cents, eur());
                said(
                    app.grant_credit(&request, self.customers[*customer], amount, "goodwill")
                        .await,
                )
            }
            Step::Invoices { customer } => {
                let scope = Scope {
                    customer: Some(self.customers[*customer]),
                    subscription: None,
                };
                let made = app.create_invoices(&request, &Selection::Pending(scope)).await;
                // Nobody knows of a call that found nothing: under other terms it might have.
                let made = made.map_err(|error| error.to_string())?;
                made.first().map(drop).ok_or_else(|| "nothing waits".to_owned())
            }
            Step::Units { of, line, units, about } => {
                let (_, number, lines) = self.order(*of)?;
                let change = set(lines[line % lines.len()], Some(*units), None);
                said(app.change_order(&request, number, &changed(on(*about), change)).await)
            }
            Step::Price { of, line, price, about } => {
                let (_, number, lines) = self.order(*of)?;
                let change = set(lines[line % lines.len()], None, Some(Decimal::new(*price, 2)));
                said(app.change_order(&request, number, &changed(on(*about), change)).await)
            }
            Step::Add { of, units, about, once } => {
                let (n, number, lines) = self.order(*of)?;
                let kind = if *once {
                    ChargeType::OneOff
                } else {
                    ChargeType::Recurring
                };
                let line = Self::ordered(n, 10 + lines.len(), *units, 500, kind);
                let id = line.id;
                let billing = Box::default();
                let change = changed(on(*about), LineChange::Add { line, billing });
                let number = number.to_owned();
                said(app.change_order(&request, &number, &change).await)?;
                if let Some((_, lines)) = self.numbers.get_mut(&n) {
                    lines.push(id);
                }
                Ok(())
            }
            Step::Remove { of, line, about } => {
                let (_, number, lines) = self.order(*of)?;
                let change = LineChange::Remove(lines[line % lines.len()]);
                said(app.change_order(&request, number, &changed(on(*about), change)).await)
            }
            Step::Period { of, period, about } => {
                let (n, number, _) = self.order(*of)?;
                let wanted = OrderBillingChanges {
                    billing_period: Some(catalogue::billing_periods()[*period].clone()),
                    ..OrderBillingChanges::default()
                };
                let change = OrderChange {
                    effective: on(*about),
                    lines: Vec::new(),
                    billing: self.named(n, &wanted),
                };
                said(app.change_order(&request, number, &change).await)
            }
            Step::Preferences { of, billing } => {
                let (n, number, _) = self.order(*of)?;
                let update = BillingUpdate::Merge(self.named(n, billing));
                said(app.update_order_billing(&request, number, &update).await)
            }
            Step::LineBilling { of, line, billing } => {
                let (_, number, lines) = self.order(*of)?;
                let named = LineBillingChanges {
                    named: billing.clone(),
                    begins_with_order: false,
                };
                let line = lines[line % lines.len()];
                said(
                    app.update_line_billing(&request, number, line, &LineUpdate::Merge(named))
                        .await,
                )
            }
            Step::Policy { of, policy } => {
                let (n, id) = self.contract(*of)?;
                let policy = if self.kept.contains(&n) {
                    *policy
                } else {
                    policy.where_supposed(&self.terms.policy)
                };
                said(app.update_policy_of(&request, id, policy).await)
            }
            Step::InvoiceOrder { of } => {
                let (_, number, _) = self.order(*of)?;
                said(app.invoice_order(&request, number).await)
            }
            Step::CloseUsage { of, about } => {
                let through = today + TimeDelta::days(*about);
                said(app.close_usage(&request, self.contract(*of)?.1, through).await)
            }
            Step::Pay { cents, too_much, .. } => {
                let id = self.bill.ok_or("nothing is open")?;
                let amount = cents + if *too_much { 20_000 } else { 0 };
                self.paid += 1;
                let paid = Paid {
                    amount: Money::new(amount, eur()).to_string(),
                    currency: None,
                    reference: format!("{}-{amount}", self.paid),
                    method: None,
                    at: None,
                };
                said(app.record_payment(&request, id, &paid).await)
            }
            Step::Collect { well, .. } => {
                let payment = payment_id(&self.tenant, self.bill.ok_or("nothing is collected")?);
                let outcome = if *well {
                    Outcome::Succeeded {
                        reference: format!("collected {payment}"),
                    }
                } else {
                    Outcome::Failed {
                        reason: "refused".to_owned(),
                    }
                };
                said(app.settle_payment(&request, payment, &outcome).await)
            }
            Step::Void { .. } => {
                let id = self.bill.ok_or("nothing is issued")?;
                said(app.void_invoice(&request, id, "wrong").await)
            }
        }
    }
}

fn set(line: LineId, quantity: Option<Decimal>, price: Option<Decimal>) -> LineChange {
    LineChange::Set {
        line,
        quantity,
        price,
        tax: None,
        billing: Box::default(),
    }
}

fn changed(effective: Option<NaiveDate>, line: LineChange) -> OrderChange {
    OrderChange {
        effective,
        lines: vec![line],
        billing: OrderBillingChanges::default(),
    }
}
