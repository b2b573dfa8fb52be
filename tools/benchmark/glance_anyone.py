"""A paste filter for a real Glance without Keystone: a request that names no user is the administrator's.

A Cinder without Keystone sends Glance neither a token nor a user.
"""

ADMINISTRATOR = {"HTTP_X_IDENTITY_STATUS": "Confirmed", "HTTP_X_USER_ID": "bench", "HTTP_X_PROJECT_ID": "bench",
                 "HTTP_X_ROLES": "admin,member,reader"}


def filter_factory(options, **more):
    def filtered(application):
        def answer(environ, start_response):
            named = "HTTP_X_IDENTITY_STATUS" in environ
            return application(environ if named else {**environ, **ADMINISTRATOR}, start_response)
        return answer
    return filtered
