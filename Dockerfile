# A worker of a stack on AWS; the stack's Lambdas run from the same image, with an entry point of
# their own. docs/aws.md says how it is built, and how an agent gets into it.
FROM python:3.11-slim

RUN apt-get update \
    && apt-get install --yes --no-install-recommends bubblewrap ca-certificates git \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --uid 10001 --create-home --shell /usr/sbin/nologin hotdesk \
    && install --directory --owner hotdesk --group hotdesk /var/lib/hotdesk

# Before the code, so that a change of code builds quickly.
COPY image/requirements.txt /tmp/
RUN pip install --no-cache-dir --require-hashes --only-binary :all: -r /tmp/requirements.txt

COPY LICENSE README.md pyproject.toml /tmp/hotdesk/
COPY src /tmp/hotdesk/src
RUN pip install --no-cache-dir --no-deps --no-build-isolation /tmp/hotdesk \
    && rm -r /tmp/hotdesk /tmp/requirements.txt

USER hotdesk
WORKDIR /var/lib/hotdesk
ENV HOTDESK_DATA_DIR=/var/lib/hotdesk PYTHONUNBUFFERED=1

# In this form there is no shell in between: SIGTERM reaches the worker, which drains.
ENTRYPOINT ["hotdesk"]
CMD ["worker", "run"]
