"""Who sends e-mails, as the settings say (INC-61)."""

from shared.adapters.mail_communication_services import CommunicationServicesMail
from shared.adapters.mail_sendgrid import SendGridMail
from shared.adapters.mail_smtp import PARTNER, SmtpMail, SmtpServer
from shared.adapters.partners import Partners
from shared.adapters.settings import MailSettings
from shared.kernel.clock import Clock
from shared.kernel.mail import MailGateway


def mail_provider(settings: MailSettings, partners: Partners, clock: Clock) -> MailGateway | None:
    """Return the chosen provider, None where no e-mails are sent."""
    if settings.provider == "smtp":
        server = SmtpServer(
            settings.smtp_host,
            settings.smtp_port,
            settings.smtp_starttls,
            settings.smtp_username,
            settings.smtp_password if settings.smtp_username else None,
        )
        return SmtpMail(
            server,
            clock,
            retry=partners.retry(PARTNER),
            breaker=partners.breaker(PARTNER),
            rate_limit=partners.rate_limit(PARTNER),
            calls=partners.calls(PARTNER),
        )
    if settings.provider == "sendgrid" and settings.sendgrid_key:
        client = partners.mail_gateway(settings.sendgrid_base_url)
        return SendGridMail(client, settings.sendgrid_key)
    if settings.provider == "communication-services" and settings.acs_endpoint and settings.acs_access_key:
        client = partners.mail_gateway(settings.acs_endpoint)
        return CommunicationServicesMail(client, settings.acs_endpoint, settings.acs_access_key, clock)
    return None
