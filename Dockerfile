# One image for every part of Tutelage; docker-compose.yml has the command of each.
FROM python:3.13-slim

ENV PYTHONUNBUFFERED=1 PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
WORKDIR /app
COPY requirements.lock ./
RUN pip install --require-hashes -r requirements.lock
COPY . .
# Compiled here: who runs it may not write beside the sources, and every start would compile them anew.
RUN pip install --no-deps --no-build-isolation -e . \
    && python -m compileall -q api cli config infrastructure migrations models workers workflows \
    && useradd --system --uid 999 --create-home tutelage \
    && install -d -o tutelage -g tutelage /data

USER tutelage
VOLUME /data
CMD ["tutelage", "--help"]
