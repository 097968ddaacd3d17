"""Who may sign in, as the identity provider says: users and groups by SCIM 2.0 (INC-33, RFC 7643, RFC 7644).

Provisioning says who may use the console and the API. It decides nothing about pay: a user that is deactivated or
deleted here changes no employee of the HR system, and what a caller may do stands in his token's roles.
"""
