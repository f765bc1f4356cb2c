//! Billing templates: created, changed, deleted, read.

use aggregates::{
    billing_template::{self, BillingTemplate, Command, Known, Template},
    id::{BillingTemplateId, TenantId},
};
use projections::{
    billing_template::{BillingTemplateView, Filter},
    page::Page,
};

use super::App;
use crate::journal::{CommandError, Request, Streams};

impl App {
    pub async fn create_template(
        &self,
        request: &Request,
        terms: &Template,
    ) -> Result<BillingTemplateId, CommandError> {
        let template = BillingTemplateId(request.derive("billing template"));
        let stream = template.to_string();
        self.journal
            .execute(request, Streams::new().with_new::<BillingTemplate>(&stream), |unit| {
                let create = Command::Create {
                    at: unit.at(),
                    template,
                    terms: Box::new(terms.clone()),
                };
                unit.send::<BillingTemplate>(&stream, &create)?;
                Ok(template)
            })
            .await
    }

    /// `merge` gets the template as it is when the command takes effect, and may run several times.
    pub async fn update_template(
        &self,
        request: &Request,
        id: BillingTemplateId,
        merge: impl Fn(&Known) -> Template + Send + Sync,
    ) -> Result<BillingTemplateId, CommandError> {
        let stream = id.to_string();
        self.journal
            .execute(request, Streams::new().with::<BillingTemplate>(&stream), |unit| {
                let known = unit.state::<BillingTemplate>(&stream).known();
                let terms = merge(known.ok_or(billing_template::Refused::Unknown)?);
                let update = Command::Update {
                    at: unit.at(),
                    terms: Box::new(terms),
                };
                unit.send::<BillingTemplate>(&stream, &update)?;
                Ok(id)
            })
            .await
    }

    /// Its subscribers get no more purchases.
    pub async fn delete_template(&self, request: &Request, id: BillingTemplateId) -> Result<(), CommandError> {
        let stream = id.to_string();
        self.journal
            .execute(request, Streams::new().with::<BillingTemplate>(&stream), |unit| {
                let at = unit.at();
                unit.send::<BillingTemplate>(&stream, &Command::Delete { at })?;
                Ok(())
            })
            .await
    }

    pub async fn template(
        &self,
        tenant: &TenantId,
        id: BillingTemplateId,
    ) -> Result<Option<BillingTemplateView>, CommandError> {
        Ok(projections::billing_template::billing_template(self.journal.views(), tenant, id).await?)
    }

    pub async fn templates(
        &self,
        tenant: &TenantId,
        filter: &Filter,
        page: &Page,
    ) -> Result<Vec<BillingTemplateView>, CommandError> {
        Ok(projections::billing_template::billing_templates(self.journal.views(), tenant, filter, page).await?)
    }

    /// The template a call under this key has made or changed before.
    pub async fn template_answered(&self, request: &Request) -> Result<Option<BillingTemplateId>, CommandError> {
        if request.keyed {
            self.journal.reply(request).await
        } else {
            Ok(None)
        }
    }
}
