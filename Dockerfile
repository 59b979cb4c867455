# One image for every process; docker-compose.yml says what each container runs.
FROM node:22-bookworm-slim AS assets
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
RUN npm ci --ignore-scripts

FROM python:3.13-slim-bookworm
ENV PYTHONUNBUFFERED=1 PATH=/opt/venv/bin:$PATH HOST=0.0.0.0 ORQADMIN_DATA_DIR=/data ORQADMIN_STATIC_ROOT=/srv/static
WORKDIR /app
COPY requirements-bootstrap.lock requirements.lock ./
RUN python -m venv /opt/venv \
    && pip install --no-cache-dir --disable-pip-version-check --require-hashes -r requirements-bootstrap.lock \
    && uv pip install --no-cache --python /opt/venv/bin/python --compile-bytecode --require-hashes -r requirements.lock
COPY . .
COPY --from=assets /app/node_modules/echarts/dist/echarts.common.min.js static/vendor/
# The settings want a key and services to load; nothing of them stays in the image.
RUN useradd --system --uid 10001 --home-dir /data --create-home orqadmin \
    && SECRET_KEY=none ORQADMIN_DATA_DIR=/tmp/none DATABASE_URL=postgresql://none/none REDIS_URL=redis://none \
       DJANGO_SETTINGS_MODULE=orqadmin.settings \
       python -c "import django; django.setup(); from orqadmin.preparation import collect_static; collect_static()"
USER orqadmin
VOLUME /data
EXPOSE 8000
CMD ["python", "manage.py", "up"]
